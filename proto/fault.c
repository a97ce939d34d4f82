#include "proto/fault.h"

const char *qn_code_name(enum qn_code code)
{
	switch (code) {
	case QN_OK: return "ok";
	case QN_MORE: return "more";
	case QN_E_SYNTAX: return "syntax";
	case QN_E_UTF8: return "utf8";
	case QN_E_DEPTH: return "depth";
	case QN_E_TOO_LONG: return "too_long";
	case QN_E_SPACE: return "space";
	case QN_E_TYPE: return "type";
	case QN_E_MISSING: return "missing";
	case QN_E_UNKNOWN: return "unknown";
	}
	return "invalid";
}

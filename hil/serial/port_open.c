#include "hil/serial/port_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "emulator/base/units.h"
#include "hil/serial/lock.h"

#define TCP_PREFIX "tcp://"
/* Documentation/admin-guide/devices.txt: Unix98 pseudo-terminal slaves. */
#define PTY_SLAVE_MAJOR_FIRST 136
#define PTY_SLAVE_MAJOR_LAST 143

static int trouble_errno(struct serial_trouble *trouble, const char *path, int error)
{
	const char *hint = "";

	if (error == EACCES)
		hint = " (is this user in the group that owns it? on Debian: dialout)";
	snprintf(trouble->text, sizeof(trouble->text), "%.100s: %s%s", path, strerror(error), hint);
	return -error;
}

static int trouble_busy(struct serial_trouble *trouble, const char *path)
{
	char who[100];

	serial_holders_text(path, who, sizeof(who));
	snprintf(trouble->text, sizeof(trouble->text), "%.80s is %s", path, who);
	return -EBUSY;
}

/* ---- tcp:// ---- */

/* "host:port", "[::1]:port", a path after it ignored by nobody: it is an error. */
static bool split_host(const char *text, char host[128], char port[8])
{
	const char *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	char *end;

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= 128)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	long number = colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : 0;
	if (number < 1 || number > 65535 || *end != '\0')
		return false;
	snprintf(port, 8, "%ld", number);
	return true;
}

/*
 * A name is looked up by another thread of the C library's, waited for with a deadline: a dead name
 * server must not stop a bench. A lookup that cannot be called back keeps its memory.
 */
static int look_up(const char *host, const char *port, int64_t within_ns, struct addrinfo **ret)
{
	struct asking {
		struct gaicb request;
		struct addrinfo hints;
		char host[128], port[8];
	} *asking = calloc(1, sizeof(*asking));
	struct timespec timeout = { within_ns / NS_PER_S, within_ns % NS_PER_S };

	if (asking == NULL)
		return -ENOMEM;
	snprintf(asking->host, sizeof(asking->host), "%s", host);
	snprintf(asking->port, sizeof(asking->port), "%s", port);
	asking->hints.ai_socktype = SOCK_STREAM;
	asking->hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
	/* RFC 6761, 6.3: loopback everywhere, also where nothing resolves names. */
	if (strcasecmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (getaddrinfo(host, port, &asking->hints, ret) == 0) {
		free(asking);
		return 0;
	}
	asking->hints.ai_flags = AI_NUMERICSERV;
	asking->request.ar_name = asking->host;
	asking->request.ar_service = asking->port;
	asking->request.ar_request = &asking->hints;
	struct gaicb *list[] = { &asking->request };
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
		free(asking);
		return -ENOMEM;
	}
	while (gai_suspend((const struct gaicb *const *)list, 1, &timeout) == EAI_INTR)
		;
	int rc = gai_error(&asking->request);
	if (rc == EAI_INPROGRESS)
		return gai_cancel(&asking->request) == EAI_CANCELED ? (free(asking), -ETIMEDOUT)
								    : -ETIMEDOUT;
	if (rc == 0)
		*ret = asking->request.ar_result;
	free(asking);
	return rc == 0 ? 0 : -EHOSTUNREACH;
}

static int open_tcp(const char *path, int64_t within_ns, struct port_handle *ret,
		    struct serial_trouble *trouble)
{
	char host[128], port[8];
	struct addrinfo *found = NULL;
	int one = 1;

	if (!split_host(path + strlen(TCP_PREFIX), host, port)) {
		snprintf(trouble->text, sizeof(trouble->text),
			 "\"%.100s\": expected tcp://HOST:PORT", path);
		return -EINVAL;
	}
	int rc = look_up(host, port, within_ns, &found);
	if (rc < 0)
		return trouble_errno(trouble, path, -rc);
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		rc = -errno;
	} else {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		rc = connect(fd, found->ai_addr, found->ai_addrlen) < 0 ? -errno : 0;
	}
	freeaddrinfo(found);
	if (rc < 0 && rc != -EINPROGRESS) {
		if (fd >= 0)
			close(fd);
		return trouble_errno(trouble, path, -rc);
	}
	ret->fd = fd;
	ret->connecting = true;
	return 0;
}

/* ---- devices ---- */

static int open_pty(const char *path, struct port_handle *ret, struct serial_trouble *trouble)
{
	struct termios tio;
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == EBUSY ? trouble_busy(trouble, path)
				      : trouble_errno(trouble, path, errno);
	int rc = serial_lock(fd);
	if (rc == 0 && tcgetattr(fd, &tio) < 0)
		rc = -errno;
	if (rc == 0) {
		cfmakeraw(&tio);
		tio.c_cc[VMIN] = 1;
		tio.c_cc[VTIME] = 0;
		if (tcsetattr(fd, TCSANOW, &tio) < 0)
			rc = -errno;
	}
	if (rc < 0) {
		close(fd);
		return rc == -EBUSY ? trouble_busy(trouble, path)
				    : trouble_errno(trouble, path, -rc);
	}
	ret->fd = fd;
	return 0;
}

static int sp_errno(enum sp_return rc)
{
	int error = rc == SP_ERR_FAIL ? sp_last_error_code() : 0;

	if (rc == SP_ERR_MEM)
		return ENOMEM;
	if (rc == SP_ERR_ARG || rc == SP_ERR_SUPP)
		return ENOTTY;
	return error > 0 ? error : EIO;
}

static int configure(struct sp_port *sp, unsigned baud)
{
	enum sp_return rc = sp_set_baudrate(sp, (int)baud);

	if (rc == SP_OK)
		rc = sp_set_bits(sp, 8);
	if (rc == SP_OK)
		rc = sp_set_parity(sp, SP_PARITY_NONE);
	if (rc == SP_OK)
		rc = sp_set_stopbits(sp, 1);
	if (rc == SP_OK)
		rc = sp_set_flowcontrol(sp, SP_FLOWCONTROL_NONE);
	if (rc != SP_OK)
		return -sp_errno(rc);
	/* A port without these lines is none the worse for it. */
	sp_set_rts(sp, SP_RTS_ON);
	sp_set_dtr(sp, SP_DTR_ON);
	return 0;
}

static int open_tty(const char *path, const struct serial_options *options, struct port_handle *ret,
		    struct serial_trouble *trouble)
{
	struct sp_port *sp = NULL;
	int fd = -1;

	if (access(path, F_OK) < 0)
		return trouble_errno(trouble, path, errno);
	enum sp_return rc = sp_get_port_by_name(path, &sp);
	if (rc != SP_OK) {
		snprintf(trouble->text, sizeof(trouble->text), "%.100s is no serial port", path);
		return -ENOTTY;
	}
	int error = 0;
	if (!options->shared && serial_holders(path, NULL, 0) > 0) {
		error = EBUSY;
		goto free_sp;
	}
	rc = sp_open(sp, SP_MODE_READ_WRITE);
	if (rc != SP_OK) {
		error = sp_errno(rc);
		if (error == EWOULDBLOCK) /* 0.1.2 takes a lock itself */
			error = EBUSY;
		goto free_sp;
	}
	if (sp_get_port_handle(sp, &fd) != SP_OK) {
		error = EIO;
		goto close_sp;
	}
	error = -serial_lock(fd);
	if (error == 0)
		error = -configure(sp, options->baud);
	if (error == 0) {
		ret->fd = fd;
		ret->sp = sp;
		return 0;
	}
close_sp:
	sp_close(sp);
free_sp:
	sp_free_port(sp);
	return error == EBUSY ? trouble_busy(trouble, path) : trouble_errno(trouble, path, error);
}

int port_open(const char *path, const struct serial_options *options, struct port_handle *ret,
	      struct serial_trouble *trouble)
{
	struct port_handle handle = { .fd = -1 };
	char real[PATH_MAX];
	struct stat st;
	int rc;

	if (strncmp(path, TCP_PREFIX, strlen(TCP_PREFIX)) == 0) {
		handle.kind = SERIAL_TCP;
		snprintf(handle.path, sizeof(handle.path), "%s", path);
		rc = open_tcp(path, options->connect_within_ns, &handle, trouble);
	} else {
		if (realpath(path, real) == NULL || stat(real, &st) < 0)
			return trouble_errno(trouble, path, errno);
		if (strlen(real) >= sizeof(handle.path))
			return trouble_errno(trouble, path, ENAMETOOLONG);
		strcpy(handle.path, real);
		bool pty = S_ISCHR(st.st_mode) && major(st.st_rdev) >= PTY_SLAVE_MAJOR_FIRST &&
			   major(st.st_rdev) <= PTY_SLAVE_MAJOR_LAST;
		handle.kind = pty ? SERIAL_PTY : SERIAL_TTY;
		rc = pty ? open_pty(real, &handle, trouble)
			 : open_tty(real, options, &handle, trouble);
	}
	if (rc == 0)
		*ret = handle;
	return rc;
}

void port_close(struct port_handle *handle)
{
	if (handle->fd < 0)
		return;
	if (handle->kind != SERIAL_TCP) {
		/* Or close() waits for up to 30 s for a board that takes nothing (closing_wait). */
		tcflush(handle->fd, TCOFLUSH);
		if (handle->sp != NULL) {
			sp_set_dtr(handle->sp, SP_DTR_OFF);
			sp_set_rts(handle->sp, SP_RTS_OFF);
		}
		serial_unlock(handle->fd);
	}
	if (handle->sp != NULL) {
		sp_close(handle->sp);
		sp_free_port(handle->sp);
	} else {
		close(handle->fd);
	}
	handle->fd = -1;
	handle->sp = NULL;
}

/*
 * Randomness by counter: a draw is hash(seed, who, what for, which one), not the next of a stream.
 *
 * Purpose: a draw depends on no thread and on no order of events, so the same seed gives the same
 * draws in real time, simulated, with one worker or with many.
 * Threads: no state.
 */
#ifndef RNG_H
#define RNG_H

#include <stdint.h>

enum rng_purpose {
	RNG_RISE = 1,
	RNG_FALL,
	RNG_HIT,
	RNG_HIT_TIME,
	RNG_RETRY,
	RNG_SELECT,
	RNG_ROUND,
	RNG_TIMELINE,
	RNG_NETWORK,
	RNG_GENERATE,
	RNG_BOOT,
	RNG_WIRE,
	RNG_TALK,
	RNG_FAULT = 64, /* + the fault's number; twice: whether, and how */
};

static inline uint64_t rng_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* 64 random bits. */
static inline uint64_t rng_draw(uint64_t seed, uint64_t who, uint64_t purpose, uint64_t n)
{
	uint64_t h = rng_mix(seed + UINT64_C(0x9e3779b97f4a7c15));
	h = rng_mix(h ^ (who * UINT64_C(0xd1342543de82ef95) + purpose));
	return rng_mix(h ^ (n + UINT64_C(0x9e3779b97f4a7c15)));
}

/* Bits to [0, 1). */
static inline double rng_unit(uint64_t bits)
{
	return (double)(bits >> 11) * 0x1.0p-53;
}

/* Bits to [0, n), n > 0; the bias is below 2^-32 for n < 2^32. */
static inline uint64_t rng_below(uint64_t bits, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)bits * n) >> 64);
}

#endif

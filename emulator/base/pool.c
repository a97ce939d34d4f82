#include "emulator/base/pool.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* mmap: a capacity that is never used costs address space, not memory. */
int pool_init(struct pool *pool, size_t object_size, size_t capacity)
{
	object_size = (object_size + 63) / 64 * 64;
	if (capacity == 0)
		capacity = 1;
	size_t size;
	if (__builtin_mul_overflow(object_size, capacity, &size))
		return -ENOMEM;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	*pool = (struct pool){ .memory = memory, .object_size = object_size, .capacity = capacity };
	return 0;
}

void pool_release(struct pool *pool)
{
	if (pool->memory != NULL)
		munmap(pool->memory, pool->object_size * pool->capacity);
	*pool = (struct pool){ 0 };
}

void *pool_get(struct pool *pool)
{
	void *object;

	if (pool->free_list != NULL) {
		object = pool->free_list;
		memcpy(&pool->free_list, object, sizeof(void *));
	} else if (pool->fresh < pool->capacity) {
		object = pool->memory + pool->fresh++ * pool->object_size;
	} else {
		return NULL;
	}
	if (++pool->used > pool->used_max)
		pool->used_max = pool->used;
	return object;
}

void pool_put(struct pool *pool, void *object)
{
	assert(pool->used > 0);
	memcpy(object, &pool->free_list, sizeof(void *));
	pool->free_list = object;
	pool->used--;
}

static size_t class_size(int cls)
{
	return (size_t)1024 << (2 * cls);
}

static int class_of(size_t size)
{
	for (int cls = 0; cls < BUFFERS_CLASSES; cls++)
		if (size <= class_size(cls))
			return cls;
	return -1;
}

int buffers_init(struct buffers *buffers, size_t bytes)
{
	memset(buffers, 0, sizeof(*buffers));
	for (int cls = 0; cls < BUFFERS_CLASSES; cls++) {
		size_t count = bytes / 4 / class_size(cls);
		int rc = pool_init(&buffers->classes[cls], class_size(cls), count < 2 ? 2 : count);
		if (rc < 0) {
			buffers_release(buffers);
			return rc;
		}
	}
	return 0;
}

void buffers_release(struct buffers *buffers)
{
	for (int cls = 0; cls < BUFFERS_CLASSES; cls++)
		pool_release(&buffers->classes[cls]);
}

int buffer_reserve(struct buffers *buffers, struct buffer *buffer, size_t more)
{
	size_t size;

	if (__builtin_add_overflow(buffer->len, more, &size))
		return -ENOBUFS;
	if (size <= buffer->cap)
		return 0;
	int cls = class_of(size);
	char *at = NULL;
	while (cls >= 0 && cls < BUFFERS_CLASSES && at == NULL)
		at = pool_get(&buffers->classes[cls++]);
	if (at == NULL)
		return -ENOBUFS;
	if (buffer->len > 0)
		memcpy(at, buffer->at, buffer->len);
	if (buffer->at != NULL)
		pool_put(&buffers->classes[class_of(buffer->cap)], buffer->at);
	buffer->at = at;
	buffer->cap = (uint32_t)class_size(cls - 1);
	return 0;
}

void buffer_free(struct buffers *buffers, struct buffer *buffer)
{
	if (buffer->at != NULL)
		pool_put(&buffers->classes[class_of(buffer->cap)], buffer->at);
	*buffer = (struct buffer){ NULL, 0, 0 };
}

void buffer_drop(struct buffers *buffers, struct buffer *buffer, size_t n)
{
	assert(n <= buffer->len);
	if (n == buffer->len) {
		buffer_free(buffers, buffer);
		return;
	}
	memmove(buffer->at, buffer->at + n, buffer->len - n);
	buffer->len -= (uint32_t)n;
}

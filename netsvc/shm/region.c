/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm/region.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/robust.h"

#define PAGE 4096u
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* A private page and behind it the file; NULL and errno. */
static uint8_t *map_behind_page(int fd, size_t size)
{
    uint8_t *p = mmap(NULL, PAGE + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    if (mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0 &&
        mmap(p + PAGE, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) != MAP_FAILED) {
        madvise(p, PAGE + size, MADV_DONTDUMP);
        return p + PAGE;
    }
    const int err = errno;
    munmap(p, PAGE + size);
    errno = err;
    return NULL;
}

int jr_region_new(struct jr_region *r, const char *name, uint64_t file_size, size_t map_size, uint32_t owner_off,
                  uint32_t flags)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    int err;

    *r = (struct jr_region){.fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), .map_size = map_size};
    if (r->fd < 0)
        return -errno;
    if (ftruncate(r->fd, (off_t)file_size) < 0 || !(r->base = map_behind_page(r->fd, map_size)))
        goto fail;
    if (fcntl(r->fd, F_ADD_SEALS, seals | (flags & JR_REGION_READ_ONLY ? F_SEAL_FUTURE_WRITE : 0)) < 0) {
        err = errno;
        munmap(r->base - PAGE, PAGE + map_size);
        errno = err;
        goto fail;
    }
    if (owner_off != JR_REGION_NO_OWNER) {
        r->owner = (uint32_t *)(r->base + owner_off);
        jr_robust_add(r->owner);
    }
    return 0;
fail:
    err = errno;
    close(r->fd);
    *r = (struct jr_region){.fd = -1};
    return -err;
}

void jr_region_mark_dead(struct jr_region *r)
{
    __atomic_store_n(r->owner, jr_robust_dead(), __ATOMIC_SEQ_CST);
    syscall(SYS_futex, r->owner, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void jr_region_free(struct jr_region *r, bool dead)
{
    if (!r->base)
        return;
    if (r->owner) {
        if (dead)
            jr_region_mark_dead(r);
        jr_robust_del(r->owner);
    }
    munmap(r->base - PAGE, PAGE + r->map_size);
    close(r->fd);
    *r = (struct jr_region){.fd = -1};
}

void jr_region_punch(struct jr_region *r, size_t off, size_t len)
{
    const size_t first = (off + PAGE - 1) & ~(size_t)(PAGE - 1), end = (off + len) & ~(size_t)(PAGE - 1);

    if (first < end)
        fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first, (off_t)(end - first));
}

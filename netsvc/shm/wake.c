/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#define AIO_EVENTS (4 * JR_WAKE_BATCH)

int jr_wake_init(struct jr_wake *w)
{
    *w = (struct jr_wake){.null_fd = memfd_create("joyride-wake", MFD_CLOEXEC)};
    if (w->null_fd < 0)
        return -errno;
    if (syscall(SYS_io_setup, AIO_EVENTS, &w->aio) < 0) {
        jr_log(JR_LOG_WARN, "io_setup: %s: a hostile program could block the service", strerror(errno));
        w->aio = 0;
    }
    return 0;
}

void jr_wake_fini(struct jr_wake *w)
{
    jr_wake_flush(w);
    if (w->aio)
        syscall(SYS_io_destroy, w->aio);
    close(w->null_fd);
}

void jr_wake_futex(struct jr_wake *w, uint32_t *word)
{
    if (w->nfutex == JR_WAKE_BATCH)
        jr_wake_flush_slow(w);
    w->futex[w->nfutex++] = word;
}

void jr_wake_now(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

static struct iocb empty_read(const struct jr_wake *w, int efd)
{
    return (struct iocb){
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_fildes = (uint32_t)w->null_fd,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = (uint32_t)efd,
    };
}

void jr_wake_event(struct jr_wake *w, int efd)
{
    if (w->nevent == JR_WAKE_BATCH)
        jr_wake_flush_slow(w);
    w->event[w->nevent++] = empty_read(w, efd);
}

static void reap(struct jr_wake *w)
{
    struct io_event done[JR_WAKE_BATCH];
    struct timespec none = {0, 0};
    long n;

    while ((n = syscall(SYS_io_getevents, w->aio, 0, JR_WAKE_BATCH, done, &none)) > 0)
        ;
    w->aio_unreaped = 0;
}

static void submit(struct jr_wake *w)
{
    struct iocb *list[JR_WAKE_BATCH];
    uint32_t at = 0;

    if (w->aio_unreaped + w->nevent > AIO_EVENTS)
        reap(w);
    for (uint32_t i = 0; i < w->nevent; i++)
        list[i] = &w->event[i];
    while (at < w->nevent) {
        const long n = syscall(SYS_io_submit, w->aio, w->nevent - at, list + at);
        if (n > 0) {
            w->aio_unreaped += (uint32_t)n;
            at += (uint32_t)n;
        } else {
            at++; /* the descriptor is gone: whoever slept on it is, too */
        }
    }
}

static void write_each(struct jr_wake *w)
{
    const uint64_t one = 1;

    for (uint32_t i = 0; i < w->nevent; i++) {
        struct pollfd p = {.fd = (int)w->event[i].aio_resfd, .events = POLLOUT};
        if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT))
            (void)!write(p.fd, &one, sizeof one);
    }
}

void jr_wake_flush_slow(struct jr_wake *w)
{
    for (uint32_t i = 0; i < w->nfutex; i++)
        syscall(SYS_futex, w->futex[i], FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    w->futex_wakes += w->nfutex;
    w->nfutex = 0;
    if (!w->nevent)
        return;
    if (w->aio)
        submit(w);
    else
        write_each(w);
    w->event_wakes += w->nevent;
    w->nevent = 0;
}

bool jr_wake_is_eventfd(int fd)
{
    static const char name[] = "anon_inode:[eventfd]";
    char path[32], link[sizeof name];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, link, sizeof link) == sizeof name - 1 && memcmp(link, name, sizeof name - 1) == 0;
}

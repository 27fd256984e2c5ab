/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/handle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/list.h"

#define BUCKETS 4096u
#define POOL_MAX 4096u
#define ASYNC_MAX 512u /* each costs us a descriptor */
#define NAME_SIZE 24

struct jr_handle {
    struct jr_handle *hash_next;
    struct jr_list pool; /* linked while closed and ready to be opened again */
    uint64_t ino;
    uint32_t index, serial; /* its name; a name is never given to another inode */
    bool open;
    int async_fd; /* ours, when the program asked for signals; -1 */
    void *user;
};

struct jr_handles {
    struct jr_handles_ops ops;
    int dir, inotify;
    dev_t dev;
    struct jr_handle **by_index;
    uint32_t nindex, next_serial;
    struct jr_list pool;
    uint32_t npool, nasync;
    struct jr_handle *by_ino[BUCKETS];
};

static void name_of(const struct jr_handle *x, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%x.%x", x->index, x->serial);
}

static struct jr_handle **bucket(struct jr_handles *h, uint64_t ino) { return &h->by_ino[jr_hash_u64(ino) % BUCKETS]; }

static void empty_folder(int dir)
{
    const int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_type == DT_FIFO)
            unlinkat(dir, e->d_name, 0);
    if (d)
        closedir(d);
}

struct jr_handles *jr_handles_new(const char *folder, const struct jr_handles_ops *ops)
{
    struct jr_handles *h = calloc(1, sizeof *h);
    struct stat st;

    if (!h)
        return NULL;
    h->ops = *ops;
    h->dir = h->inotify = -1;
    jr_list_init(&h->pool);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        goto fail;
    h->dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (h->dir < 0 || fchmod(h->dir, 0700) < 0 || fstat(h->dir, &st) < 0)
        goto fail;
    h->dev = st.st_dev;
    empty_folder(h->dir);
    h->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (h->inotify < 0 || inotify_add_watch(h->inotify, folder, IN_CLOSE_WRITE | IN_ONLYDIR) < 0)
        goto fail;
    return h;
fail:
    jr_handles_free(h);
    return NULL;
}

static void handle_free(struct jr_handles *h, struct jr_handle *x)
{
    struct jr_handle **p = bucket(h, x->ino);
    char name[NAME_SIZE];

    while (*p && *p != x)
        p = &(*p)->hash_next;
    if (*p)
        *p = x->hash_next;
    name_of(x, name);
    unlinkat(h->dir, name, 0);
    if (x->async_fd >= 0) { /* its report comes for a name that is gone */
        close(x->async_fd);
        h->nasync--;
    }
    h->by_index[x->index] = NULL;
    jr_list_del(&x->pool);
    free(x);
}

void jr_handles_free(struct jr_handles *h)
{
    const int err = errno;

    for (uint32_t i = 0; i < h->nindex; i++)
        if (h->by_index[i])
            handle_free(h, h->by_index[i]);
    free(h->by_index);
    if (h->inotify >= 0)
        close(h->inotify);
    if (h->dir >= 0)
        close(h->dir);
    free(h);
    errno = err;
}

int jr_handles_fd(const struct jr_handles *h) { return h->inotify; }

static uint32_t free_index(struct jr_handles *h)
{
    uint32_t i = 0;

    if (h->next_serial < h->nindex && !h->by_index[h->next_serial])
        return h->next_serial;
    while (i < h->nindex && h->by_index[i])
        i++;
    if (i < h->nindex)
        return i;
    const uint32_t n = h->nindex ? 2 * h->nindex : 256;
    struct jr_handle **bigger = realloc(h->by_index, n * sizeof bigger[0]);
    if (!bigger)
        return UINT32_MAX;
    memset(bigger + h->nindex, 0, (n - h->nindex) * sizeof bigger[0]);
    h->by_index = bigger;
    h->nindex = n;
    return i;
}

/* A FIFO with a new name; not open. */
static struct jr_handle *handle_new(struct jr_handles *h)
{
    struct jr_handle *x = calloc(1, sizeof *x);
    char name[NAME_SIZE];
    struct stat st;

    if (!x)
        return NULL;
    jr_list_init(&x->pool);
    x->async_fd = -1;
    x->index = free_index(h);
    if (x->index == UINT32_MAX)
        goto fail;
    x->serial = h->next_serial++;
    name_of(x, name);
    if (mkfifoat(h->dir, name, 0600) < 0)
        goto fail;
    if (fstatat(h->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        unlinkat(h->dir, name, 0);
        goto fail;
    }
    x->ino = st.st_ino;
    x->hash_next = *bucket(h, x->ino);
    *bucket(h, x->ino) = x;
    h->by_index[x->index] = x;
    return x;
fail:
    free(x);
    return NULL;
}

/* Ours alone to open, by whatever path. A program that may change files (fchmod, fchown) changed it if not; who can
 * open what the next program holds could report its close, or pass for it. */
static bool is_ours_alone(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 07777) == 0600;
}

/* An end of its FIFO for a program; -1 and errno. */
static int open_end(const struct jr_handles *h, const struct jr_handle *x)
{
    char name[NAME_SIZE];

    name_of(x, name);
    return openat(h->dir, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

/* A handle that was closed, to be opened again; NULL: none is there. */
static struct jr_handle *from_pool(struct jr_handles *h, int *fd)
{
    struct jr_list *l;

    while ((l = jr_list_first(&h->pool))) {
        struct jr_handle *x = JR_LIST_ENTRY(l, struct jr_handle, pool);
        *fd = open_end(h, x);
        if (*fd < 0)
            return NULL;
        jr_list_del(l);
        h->npool--;
        if (is_ours_alone(*fd))
            return x;
        handle_free(h, x);
        close(*fd);
    }
    return NULL;
}

struct jr_handle *jr_handle_open(struct jr_handles *h, int *fd)
{
    struct jr_handle *x = from_pool(h, fd);

    if (!x) {
        x = handle_new(h);
        if (!x)
            return NULL;
        *fd = open_end(h, x);
        if (*fd < 0) {
            const int err = errno;
            handle_free(h, x);
            errno = err;
            return NULL;
        }
    }
    x->open = true;
    x->user = NULL;
    return x;
}

uint64_t jr_handle_ino(const struct jr_handle *x) { return x->ino; }
void jr_handle_set_user(struct jr_handle *x, void *user) { x->user = user; }

void *jr_handle_identify(struct jr_handles *h, int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    struct stat st;

    if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) != O_RDWR || fstat(fd, &st) < 0)
        return NULL;
    if (!S_ISFIFO(st.st_mode) || st.st_dev != h->dev)
        return NULL;
    for (struct jr_handle *x = *bucket(h, st.st_ino); x; x = x->hash_next)
        if (x->ino == st.st_ino)
            return x->open ? x->user : NULL;
    return NULL;
}

/* reusable: its one report was read, so that none can be mistaken for the next owner's. */
static void closed(struct jr_handles *h, struct jr_handle *x, bool reusable)
{
    void *user = x->user;

    x->open = false;
    x->user = NULL;
    if (reusable && h->npool < POOL_MAX && x->async_fd < 0) {
        jr_list_push_head(&h->pool, &x->pool);
        h->npool++;
    } else {
        handle_free(h, x);
    }
    if (user)
        h->ops.on_closed(h->ops.ctx, user);
}

/* A byte through the FIFO: the kernel signals whoever asked for it there, as fcntl(2) has it. */
void jr_handle_signal(struct jr_handles *h, struct jr_handle *x)
{
    char name[NAME_SIZE], byte = 0;

    if (!x->open)
        return;
    if (x->async_fd < 0 && h->nasync < ASYNC_MAX) {
        name_of(x, name);
        x->async_fd = openat(h->dir, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        h->nasync += x->async_fd >= 0;
    }
    if (x->async_fd >= 0 && write(x->async_fd, &byte, 1) == 1 && read(x->async_fd, &byte, 1) < 0)
        return; /* the program took it: its own affair */
}

/* Nobody has a FIFO open for writing when a reader finds its end. Opening for reading alone makes no report. */
static bool is_held(struct jr_handles *h, const struct jr_handle *x)
{
    char name[NAME_SIZE], byte;
    bool held;
    int fd;

    name_of(x, name);
    fd = openat(h->dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return true;
    held = read(fd, &byte, 1) != 0;
    close(fd);
    return held;
}

static unsigned rescan(struct jr_handles *h)
{
    unsigned n = 0;

    h->ops.on_overflow(h->ops.ctx);
    for (uint32_t i = 0; i < h->nindex; i++) {
        struct jr_handle *x = h->by_index[i];
        if (!x || !x->open || is_held(h, x))
            continue;
        closed(h, x, false);
        n++;
    }
    return n;
}

static unsigned on_report(struct jr_handles *h, const struct inotify_event *e)
{
    unsigned index, serial;

    if (e->mask & IN_Q_OVERFLOW)
        return rescan(h);
    if (e->len == 0 || sscanf(e->name, "%x.%x", &index, &serial) != 2 || index >= h->nindex)
        return 0;
    struct jr_handle *x = h->by_index[index];
    if (!x || x->serial != serial || !x->open)
        return 0;
    closed(h, x, true);
    return 1;
}

unsigned jr_handles_read(struct jr_handles *h)
{
    enum { LONGEST = sizeof(struct inotify_event) + NAME_MAX + 1 };
    char buf[16384] __attribute__((aligned(8)));
    unsigned n = 0;
    ssize_t len;

    do {
        len = read(h->inotify, buf, sizeof buf);
        for (ssize_t at = 0; at < len;) {
            const struct inotify_event *e = (const struct inotify_event *)(buf + at);
            n += on_report(h, e);
            at += (ssize_t)(sizeof *e + e->len);
        }
    } while (len > (ssize_t)(sizeof buf - LONGEST)); /* else there was room for one more */
    return n;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SEGS 64
#define CLIENTS 64
#define PAIRS 64
#define MAX_SOCK (SEGS * JR_SEG_SLOTS)

struct seg {
    uint8_t *base;
    int fd;
    int eq_fd[JR_SEG_EQS];
    uint32_t eq_answered[JR_SEG_EQS];
    uint32_t cell_answered[JR_SEG_CELLS];
    bool used[JR_SEG_SLOTS];
};

struct sock {
    uint32_t state, err, closed_seen;
    uint32_t data_answered, space_answered;
    struct sock *peer;
    struct sock *queue, *next; /* listener: waiting connections */
    uint32_t nqueue;
    struct seg *seg;
    uint32_t slot;
    uint64_t tx_head, rx_tail;
    ino_t ino;
    char name[32];
    bool handle_open, fin_passed, queued;
    struct timespec ready_at;
    bool connecting;
    struct jr_abi_addr to;
    int pair, end;
};

struct pair {
    int fd;
    struct jr_abi_pair *p;
};

static struct {
    struct fake_config cfg;
    pthread_t thread;
    char dir[64];
    int lfd, bell, in, policy_fd;
    struct jr_abi_policy *policy;
    int client[CLIENTS];
    unsigned nclients, nsegs, npairs;
    struct seg seg[SEGS];
    struct sock *sock; /* [MAX_SOCK] */
    struct pair pair[PAIRS];
    atomic_bool stop, die, hold;
    atomic_uint closes, handles, bells, job, job_port, job_result;
    unsigned serial;
} f;

enum { JOB_NONE, JOB_MOVE, JOB_RESET };

struct jr_abi_policy *fake_policy(void) { return f.policy; }
void fake_hold(bool on) { atomic_store(&f.hold, on); }
unsigned fake_closes(void) { return atomic_load(&f.closes); }
unsigned fake_handles(void) { return atomic_load(&f.handles); }
unsigned fake_bells(void) { return atomic_load(&f.bells); }

static struct jr_abi_seg_hdr *hdr(struct seg *s) { return (void *)s->base; }
static struct jr_abi_seg_app *app(struct seg *s) { return (void *)(s->base + JR_SEG_APP_OFF); }
static struct jr_abi_cell *cells(struct seg *s) { return (void *)(s->base + JR_SEG_CELL_OFF); }
static struct jr_abi_eq *eqs(struct seg *s) { return (void *)(s->base + JR_SEG_EQ_OFF); }
static struct jr_abi_slot *slot_of(struct sock *so)
{
    return (struct jr_abi_slot *)(so->seg->base + JR_SEG_SLOT_OFF) + so->slot;
}
static uint8_t *ring_of(struct sock *so, int rx)
{
    return so->seg->base + JR_SEG_RING_OFF + ((size_t)so->slot * 2 + (size_t)rx) * JR_RING_MAX;
}
static struct sock *sock_at(struct seg *s, uint32_t slot) { return &f.sock[(size_t)(s - f.seg) * JR_SEG_SLOTS + slot]; }

static void die(const char *what)
{
    perror(what);
    abort();
}

/* TSan does not know fences. */
static void full_fence(void)
{
    uint32_t word = 0;
    __atomic_fetch_add(&word, 0, __ATOMIC_SEQ_CST);
}

static void futex_wake(uint32_t *w) { syscall(SYS_futex, w, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0); }

/* ---- telling ---- */

static void post_watchers(struct sock *so)
{
    uint64_t watch = __atomic_load_n(&slot_of(so)->watch, __ATOMIC_SEQ_CST);
    for (; watch; watch &= watch - 1) {
        unsigned e = (unsigned)__builtin_ctzll(watch);
        struct jr_abi_eq *q = &eqs(so->seg)[e];
        __atomic_fetch_or(&q->posted[so->slot / 64], 1ull << so->slot % 64, __ATOMIC_SEQ_CST);
        uint32_t gen = __atomic_load_n(&q->sleep_gen, __ATOMIC_SEQ_CST);
        if (gen == so->seg->eq_answered[e] || so->seg->eq_fd[e] < 0)
            continue;
        so->seg->eq_answered[e] = gen;
        __atomic_store_n(&q->woken_gen, gen, __ATOMIC_RELEASE);
        uint64_t one = 1;
        if (write(so->seg->eq_fd[e], &one, sizeof one) < 0)
            die("eventfd");
    }
}

static bool answer(uint32_t *wait, uint32_t *answered, uint32_t *woken, uint32_t *seq)
{
    uint32_t gen = __atomic_load_n(wait, __ATOMIC_SEQ_CST);
    if (gen == *answered)
        return false;
    *answered = gen;
    __atomic_store_n(woken, gen, __ATOMIC_RELAXED);
    __atomic_fetch_add(seq, 1, __ATOMIC_SEQ_CST);
    futex_wake(seq);
    return true;
}

enum { DATA = 1, SPACE = 2, STATE = 7 };

static void tell(struct sock *so, int what)
{
    struct jr_abi_slot *sl = slot_of(so);
    bool post = what & DATA;
    if (what & DATA)
        answer(&sl->rx.data_wait, &so->data_answered, &sl->rx.data_woken, &sl->rx.data_seq);
    if (what & SPACE)
        post |= answer(&sl->tx.space_wait, &so->space_answered, &sl->tx.space_woken, &sl->tx.space_seq);
    if (post)
        post_watchers(so);
}

static void set_state(struct sock *so, uint32_t set, uint32_t clear)
{
    so->state = (so->state & ~clear) | set;
    __atomic_store_n(&slot_of(so)->state, so->state, __ATOMIC_RELEASE);
}

static void fail(struct sock *so, int err)
{
    so->err = (so->err + (1 << 16)) & 0xffff0000;
    __atomic_store_n(&slot_of(so)->err, so->err | (uint32_t)err, __ATOMIC_RELEASE);
    so->err |= (uint32_t)err;
    so->connecting = false;
    set_state(so, JR_ST_DEAD, JR_ST_CONNECTING);
    tell(so, STATE);
}

/* ---- connections ---- */

static struct sock *listener_on(uint16_t port)
{
    for (unsigned i = 0; i < f.nsegs * JR_SEG_SLOTS; i++)
        if (f.sock[i].handle_open && (f.sock[i].state & JR_ST_LISTENING) && slot_of(&f.sock[i])->local.port == port)
            return &f.sock[i];
    return NULL;
}

static void make_pair(struct sock *so)
{
    unsigned i = f.npairs++;
    struct pair *p = &f.pair[i];
    if (i >= PAIRS)
        die("pairs");
    p->fd = memfd_create("pair", MFD_CLOEXEC);
    if (ftruncate(p->fd, (off_t)JR_PAIR_SIZE) < 0)
        die("ftruncate");
    p->p = mmap(NULL, JR_PAIR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
    p->p->magic = JR_ABI_MAGIC;
    p->p->ring[0].cap = p->p->ring[1].cap = f.cfg.ring;
    so->pair = (int)i;
    so->end = 0;
}

/* The connecting socket itself waits in the listener's queue. */
static void connect_now(struct sock *so)
{
    struct sock *l = listener_on(so->to.port);
    so->connecting = false;
    if (!l) {
        fail(so, ECONNREFUSED);
        return;
    }
    so->queued = true;
    so->next = NULL;
    struct sock **p = &l->queue;
    while (*p)
        p = &(*p)->next;
    *p = so;
    l->nqueue++;
    slot_of(so)->remote = so->to;
    slot_of(so)->local.family = so->to.family;
    if (!slot_of(so)->local.port)
        slot_of(so)->local.port = (uint16_t)(40000 + f.serial++ % 10000);
    if (f.cfg.pairs)
        make_pair(so);
    set_state(so, JR_ST_CONNECTED | JR_ST_BOUND | (f.cfg.pairs ? JR_ST_PAIR : 0), JR_ST_CONNECTING);
    __atomic_store_n(&slot_of(l)->accept_ready, l->nqueue, __ATOMIC_RELEASE);
    tell(so, STATE);
    tell(l, DATA);
}

static void end_of_socket(struct sock *so)
{
    struct sock *p = so->peer;
    if (p) {
        p->peer = NULL;
        if (so->pair >= 0) {
            __atomic_fetch_or(&f.pair[so->pair].p->ring[so->end].flags, JR_RING_FIN, __ATOMIC_SEQ_CST);
            struct jr_abi_ring *r = &f.pair[so->pair].p->ring[so->end];
            __atomic_fetch_add(&r->data_seq, 1, __ATOMIC_SEQ_CST);
            futex_wake(&r->data_seq);
        }
        set_state(p, JR_ST_RX_EOF, 0);
        tell(p, STATE);
    }
    so->peer = NULL;
    so->handle_open = false;
    set_state(so, 0, ~0u);
    so->seg->used[so->slot] = false;
}

/* One direction of the wire. */
static bool move_bytes(struct sock *from, struct sock *to)
{
    struct jr_abi_slot *a = slot_of(from), *b = slot_of(to);
    bool did = false;
    uint64_t tail = __atomic_load_n(&a->tx.tail, __ATOMIC_ACQUIRE);
    uint32_t cap = __atomic_load_n(&a->tx.cap, __ATOMIC_ACQUIRE), rcap = b->rx.cap;
    uint64_t head = __atomic_load_n(&b->rx.head, __ATOMIC_ACQUIRE);
    if (from->pair >= 0)
        return false;
    if (tail - from->tx_head > cap)
        die("tx ring is wrong");
    while (from->tx_head < tail && to->rx_tail - head < rcap) {
        uint64_t n = tail - from->tx_head, room = rcap - (to->rx_tail - head);
        uint64_t x = cap - (from->tx_head & (cap - 1)), y = rcap - (to->rx_tail & (rcap - 1));
        n = n < room ? n : room;
        n = n < x ? n : x;
        n = n < y ? n : y;
        memcpy(ring_of(to, 1) + (to->rx_tail & (rcap - 1)), ring_of(from, 0) + (from->tx_head & (cap - 1)), n);
        from->tx_head += n;
        to->rx_tail += n;
        did = true;
    }
    if (did) {
        __atomic_store_n(&a->tx.head, from->tx_head, __ATOMIC_RELEASE);
        __atomic_store_n(&b->rx.tail, to->rx_tail, __ATOMIC_RELEASE);
        full_fence();
        tell(to, DATA);
        tell(from, SPACE);
    }
    if ((__atomic_load_n(&a->tx.flags, __ATOMIC_ACQUIRE) & JR_RING_FIN) && from->tx_head == tail && !from->fin_passed &&
        tail == __atomic_load_n(&a->tx.tail, __ATOMIC_ACQUIRE)) {
        from->fin_passed = true;
        set_state(from, JR_ST_TX_CLOSED, 0);
        set_state(to, JR_ST_RX_EOF, 0);
        tell(to, STATE);
        did = true;
    }
    return did;
}

/* A datagram socket sends to whichever datagram socket has the port. */
static bool move_dgrams(struct sock *from)
{
    struct jr_abi_slot *a = slot_of(from);
    uint64_t tail = __atomic_load_n(&a->tx.tail, __ATOMIC_ACQUIRE);
    uint32_t cap = __atomic_load_n(&a->tx.cap, __ATOMIC_ACQUIRE);
    bool did = false;
    while (from->tx_head < tail) {
        struct jr_abi_dgram h;
        uint8_t all[70000];
        for (size_t i = 0; i < sizeof h; i++)
            ((uint8_t *)&h)[i] = ring_of(from, 0)[(from->tx_head + i) & (cap - 1)];
        size_t n = sizeof h + ((h.len + 7) & ~7u);
        for (size_t i = 0; i < n; i++)
            all[i] = ring_of(from, 0)[(from->tx_head + i) & (cap - 1)];
        if (!(from->state & JR_ST_BOUND)) {
            a->local.port = (uint16_t)(50000 + f.serial++ % 10000);
            a->local.family = (uint16_t)a->family;
            set_state(from, JR_ST_BOUND, 0);
        }
        uint16_t port = h.peer.family ? h.peer.port : a->remote.port;
        h.peer = a->local;
        h.peer.family = (uint16_t)a->family;
        h.ttl = 64;
        memcpy(all, &h, sizeof h);
        for (unsigned i = 0; i < f.nsegs * JR_SEG_SLOTS; i++) {
            struct sock *to = &f.sock[i];
            if (!to->handle_open || slot_of(to)->type != SOCK_DGRAM || !(to->state & JR_ST_BOUND) ||
                slot_of(to)->local.port != port)
                continue;
            struct jr_abi_slot *b = slot_of(to);
            if (to->rx_tail - __atomic_load_n(&b->rx.head, __ATOMIC_ACQUIRE) + n > b->rx.cap)
                break;
            for (size_t k = 0; k < n; k++)
                ring_of(to, 1)[(to->rx_tail + k) & (b->rx.cap - 1)] = all[k];
            to->rx_tail += n;
            __atomic_store_n(&b->rx.tail, to->rx_tail, __ATOMIC_RELEASE);
            full_fence();
            tell(to, DATA);
            break;
        }
        from->tx_head += n;
        did = true;
    }
    if (did) {
        __atomic_store_n(&a->tx.head, from->tx_head, __ATOMIC_RELEASE);
        full_fence();
        tell(from, SPACE);
    }
    return did;
}

/* ---- commands ---- */

static void give_peer(struct sock *l, struct sock *so)
{
    struct sock *c = l->queue;
    l->queue = c->next;
    l->nqueue--;
    c->queued = false;
    c->peer = so;
    so->peer = c;
    slot_of(so)->local = slot_of(l)->local;
    slot_of(so)->remote = slot_of(c)->local;
    uint32_t st = JR_ST_CONNECTED | JR_ST_BOUND | JR_ST_IN_USE;
    if (f.cfg.pairs) {
        so->pair = c->pair;
        so->end = 1;
        st |= JR_ST_PAIR;
    }
    set_state(so, st, 0);
    __atomic_store_n(&slot_of(l)->accept_ready, l->nqueue, __ATOMIC_RELEASE);
}

static int32_t command(struct seg *s, struct jr_abi_cell *c, uint32_t *rep_len)
{
    struct sock *so = sock_at(s, c->slot);
    struct jr_abi_slot *sl = slot_of(so);
    memset(c->rep, 0, sizeof c->rep);
    *rep_len = sizeof c->rep;
    switch (c->op) {
    case JR_CMD_BIND: {
        struct jr_abi_cmd_bind_req *q = (void *)c->req;
        struct jr_abi_cmd_bind_rep *p = (void *)c->rep;
        sl->local = q->addr;
        if (sl->local.port == 0)
            sl->local.port = (uint16_t)(30000 + ((unsigned)getpid() * 7 + f.serial++) % 10000);
        p->addr = sl->local;
        p->route = f.cfg.listen_route;
        if (p->route != JR_ROUTE_KERNEL)
            set_state(so, JR_ST_BOUND, 0);
        return 0;
    }
    case JR_CMD_LISTEN: {
        struct jr_abi_cmd_listen_rep *p = (void *)c->rep;
        p->addr = sl->local;
        p->route = f.cfg.listen_route;
        set_state(so, JR_ST_LISTENING, 0);
        return 0;
    }
    case JR_CMD_CONNECT: {
        struct jr_abi_cmd_connect_req *q = (void *)c->req;
        struct jr_abi_cmd_connect_rep *p = (void *)c->rep;
        p->route = JR_ROUTE_SERVICE;
        if (q->addr.family == AF_UNSPEC) {
            set_state(so, 0, JR_ST_CONNECTED);
            return 0;
        }
        if (sl->type == SOCK_DGRAM) {
            sl->remote = q->addr;
            set_state(so, JR_ST_CONNECTED | JR_ST_BOUND, 0);
            sl->local.family = q->addr.family;
            if (!sl->local.port)
                sl->local.port = (uint16_t)(50000 + f.serial++ % 10000);
            return 0;
        }
        so->to = q->addr;
        so->connecting = true;
        clock_gettime(CLOCK_MONOTONIC, &so->ready_at);
        so->ready_at.tv_nsec += (long)f.cfg.hold_us * 1000;
        while (so->ready_at.tv_nsec >= 1000000000) {
            so->ready_at.tv_nsec -= 1000000000;
            so->ready_at.tv_sec++;
        }
        set_state(so, JR_ST_CONNECTING, 0);
        return -EINPROGRESS;
    }
    case JR_CMD_ACCEPT: {
        struct jr_abi_cmd_accept_req *q = (void *)c->req;
        struct jr_abi_cmd_accept_rep *p = (void *)c->rep;
        struct seg *ls = &f.seg[q->listener_seg];
        struct sock *l = sock_at(ls, q->listener_slot);
        if (memcmp(q->key, hdr(ls)->key, sizeof q->key) != 0)
            return -EPERM;
        if (!l->queue)
            return -EAGAIN;
        give_peer(l, so);
        p->local = sl->local;
        p->remote = sl->remote;
        return 0;
    }
    case JR_CMD_SHUTDOWN: {
        struct jr_abi_cmd_shutdown_req *q = (void *)c->req;
        if (q->how != SHUT_RD) {
            set_state(so, JR_ST_TX_CLOSED, 0);
            if (so->pair >= 0 && so->peer) {
                set_state(so->peer, JR_ST_RX_EOF, 0);
                tell(so->peer, STATE);
            }
        }
        return 0;
    }
    case JR_CMD_SETSOCKOPT: {
        struct jr_abi_cmd_setsockopt_req *q = (void *)c->req;
        return q->level == SOL_SOCKET || q->level == IPPROTO_TCP ? 0 : -ENOPROTOOPT;
    }
    case JR_CMD_GETSOCKOPT: {
        struct jr_abi_cmd_getsockopt_rep *p = (void *)c->rep;
        p->len = 4;
        return 0;
    }
    }
    return -ENOSYS;
}

static bool run_cells(struct seg *s)
{
    uint64_t posted = __atomic_exchange_n(&app(s)->posted, 0, __ATOMIC_SEQ_CST);
    for (uint64_t b = posted; b; b &= b - 1) {
        unsigned i = (unsigned)__builtin_ctzll(b);
        struct jr_abi_cell *c = &cells(s)[i];
        uint32_t len;
        c->result = command(s, c, &len);
        c->rep_len = len;
        __atomic_fetch_add(&c->done, 1, __ATOMIC_SEQ_CST);
        uint32_t wait = __atomic_load_n(&c->wait, __ATOMIC_SEQ_CST);
        if (wait != s->cell_answered[i]) {
            s->cell_answered[i] = wait;
            futex_wake(&c->done);
        }
    }
    return posted != 0;
}

/* ---- segments and handles ---- */

static struct seg *new_seg(void)
{
    struct seg *s = &f.seg[f.nsegs];
    if (f.nsegs == SEGS)
        die("segs");
    s->fd = memfd_create("seg", MFD_CLOEXEC);
    if (ftruncate(s->fd, (off_t)JR_SEG_SIZE) < 0)
        die("ftruncate");
    s->base = mmap(NULL, JR_SEG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->fd, 0);
    if (s->base == MAP_FAILED)
        die("mmap");
    *hdr(s) = (struct jr_abi_seg_hdr){.magic = JR_ABI_MAGIC,
                                      .version = JR_ABI_VERSION,
                                      .checksum = JR_ABI_CHECKSUM,
                                      .seg_id = f.nsegs,
                                      .nslots = JR_SEG_SLOTS,
                                      .key = {f.nsegs * 77 + 1, 99}};
    __atomic_store_n(&hdr(s)->owner, (uint32_t)gettid() | FUTEX_WAITERS, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < JR_SEG_EQS; i++)
        s->eq_fd[i] = -1;
    f.nsegs++;
    return s;
}

static int new_handle(struct seg *s, uint32_t slot)
{
    struct sock *so = sock_at(s, slot);
    char path[128];
    struct stat st;
    uint32_t gen = slot_of(&(struct sock){.seg = s, .slot = slot})->gen;
    memset(so, 0, sizeof *so);
    so->seg = s;
    so->slot = slot;
    so->pair = -1;
    snprintf(so->name, sizeof so->name, "h%u", f.serial++);
    snprintf(path, sizeof path, "%s/h/%s", f.dir, so->name);
    if (mkfifo(path, 0600) < 0)
        die("mkfifo");
    /* In the program's own table, too: out of the way of its numbers. */
    int low = open(path, O_RDWR | O_CLOEXEC), fd = fcntl(low, F_DUPFD_CLOEXEC, 10000);
    close(low);
    if (fd < 0 || fstat(fd, &st) < 0)
        die("fifo");
    so->ino = st.st_ino;
    so->handle_open = true;
    s->used[slot] = true;
    struct jr_abi_slot *sl = slot_of(so);
    memset(sl, 0, sizeof *sl);
    sl->tx.cap = sl->rx.cap = f.cfg.ring;
    sl->tx_grant = f.cfg.grant;
    __atomic_store_n(&sl->gen, gen + 1, __ATOMIC_RELEASE);
    atomic_fetch_add(&f.handles, 1);
    return fd;
}

static void handle_closed(const char *name)
{
    for (unsigned i = 0; i < f.nsegs * JR_SEG_SLOTS; i++) {
        struct sock *so = &f.sock[i];
        if (!so->handle_open || strcmp(so->name, name) != 0)
            continue;
        char path[128];
        snprintf(path, sizeof path, "%s/h/%s", f.dir, name);
        unlink(path);
        /* What was sent before close still goes out. */
        if (so->peer && (so->state & JR_ST_CONNECTED))
            move_bytes(so, so->peer);
        end_of_socket(so);
        atomic_fetch_add(&f.closes, 1);
    }
}

static bool read_closes(void)
{
    char buf[4096] __attribute__((aligned(8)));
    ssize_t n = read(f.in, buf, sizeof buf);
    for (ssize_t at = 0; at < n;) {
        struct inotify_event *e = (void *)(buf + at);
        if ((e->mask & IN_CLOSE_WRITE) && e->len)
            handle_closed(e->name);
        at += (ssize_t)(sizeof *e + e->len);
    }
    return n > 0;
}

/* ---- the control socket ---- */

static void reply(int fd, uint32_t op, int status, const void *p, uint32_t n, const int *fds, unsigned nfds)
{
    struct jr_abi_ctl_hdr h = {JR_ABI_MAGIC, op, status, n};
    struct iovec iov[2] = {{&h, sizeof h}, {(void *)p, n}};
    char c[CMSG_SPACE(JR_HANDLE_BATCH * sizeof(int))] = {0};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    if (nfds) {
        m.msg_control = c;
        m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        struct cmsghdr *h2 = CMSG_FIRSTHDR(&m);
        h2->cmsg_level = SOL_SOCKET;
        h2->cmsg_type = SCM_RIGHTS;
        h2->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(h2), fds, nfds * sizeof(int));
    }
    if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        die("reply");
}

static void on_handles(int fd, const struct jr_abi_ctl_handles_req *q)
{
    struct jr_abi_ctl_handles_rep p = {0};
    int fds[JR_HANDLE_BATCH];
    struct seg *s = &f.seg[q->seg_id];
    for (uint32_t i = 0; i < JR_SEG_SLOTS && p.n < q->want && !f.cfg.refuse_handles; i++)
        if (!s->used[i]) {
            fds[p.n] = new_handle(s, i);
            p.slot[p.n++] = i;
        }
    reply(fd, JR_CTL_HANDLES, 0, &p, sizeof p, fds, p.n);
    for (uint32_t i = 0; i < p.n; i++)
        close(fds[i]);
}

static struct sock *sock_of_handle(int fd)
{
    struct stat st;
    fstat(fd, &st);
    for (unsigned i = 0; i < f.nsegs * JR_SEG_SLOTS; i++)
        if (f.sock[i].handle_open && f.sock[i].ino == st.st_ino)
            return &f.sock[i];
    return NULL;
}

static void on_adopt(int fd, int handle)
{
    struct jr_abi_ctl_adopt_rep p = {0};
    struct sock *so = sock_of_handle(handle);
    if (!so) {
        reply(fd, JR_CTL_ADOPT, -EBADF, &p, 0, NULL, 0);
        return;
    }
    p.seg_id = (uint32_t)(so->seg - f.seg);
    p.slot = so->slot;
    p.gen = slot_of(so)->gen;
    p.new_seg = 1;
    reply(fd, JR_CTL_ADOPT, 0, &p, sizeof p, &so->seg->fd, 1);
}

static void on_eq(int fd, const struct jr_abi_ctl_eq_register_req *q, int efd)
{
    struct seg *s = &f.seg[q->seg_id];
    struct jr_abi_ctl_eq_register_rep p = {0};
    int ok = memcmp(q->key, hdr(s)->key, sizeof q->key) == 0;
    if (ok) {
        if (s->eq_fd[q->eq] >= 0)
            close(s->eq_fd[q->eq]);
        s->eq_fd[q->eq] = dup(efd);
        s->eq_answered[q->eq] = eqs(s)[q->eq].woken_gen;
    }
    reply(fd, JR_CTL_EQ_REGISTER, ok ? 0 : -EPERM, &p, sizeof p, NULL, 0);
}

static void on_pair(int fd, const struct jr_abi_ctl_pair_req *q)
{
    struct sock *so = sock_at(&f.seg[q->seg_id], q->slot);
    struct jr_abi_ctl_pair_rep p = {.pair_id = (uint32_t)so->pair, .end = (uint32_t)so->end};
    if (so->pair < 0)
        reply(fd, JR_CTL_PAIR, -ENOTCONN, &p, 0, NULL, 0);
    else
        reply(fd, JR_CTL_PAIR, 0, &p, sizeof p, &f.pair[so->pair].fd, 1);
}

static bool on_request(int fd)
{
    union {
        struct jr_abi_ctl_hdr h;
        uint8_t b[1024];
    } u;
    char c[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&u, sizeof u};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int got = -1;
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
        memcpy(&got, CMSG_DATA(h), sizeof got);
    const void *req = u.b + sizeof u.h;
    if (!f.cfg.silent)
        switch (u.h.op) {
        case JR_CTL_HELLO: {
            struct jr_abi_ctl_hello_rep p = {.version = JR_ABI_VERSION,
                                             .checksum = JR_ABI_CHECKSUM + f.cfg.checksum_off};
            int fds[2] = {f.policy_fd, f.bell};
            reply(fd, u.h.op, 0, &p, sizeof p, fds, 2);
            break;
        }
        case JR_CTL_SEG_NEW: {
            struct seg *s = new_seg();
            struct jr_abi_ctl_seg_new_rep p = {(uint32_t)(s - f.seg), JR_SEG_SLOTS};
            reply(fd, u.h.op, 0, &p, sizeof p, &s->fd, 1);
            break;
        }
        case JR_CTL_HANDLES:
            on_handles(fd, req);
            break;
        case JR_CTL_EQ_REGISTER:
            on_eq(fd, req, got);
            break;
        case JR_CTL_ADOPT:
            on_adopt(fd, got);
            break;
        case JR_CTL_PAIR:
            on_pair(fd, req);
            break;
        }
    if (got >= 0)
        close(got);
    return true;
}

/* ---- the loop ---- */

static bool scan(void)
{
    bool did = false;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (unsigned i = 0; i < f.nsegs; i++) {
        struct seg *s = &f.seg[i];
        did |= run_cells(s);
        for (unsigned w = 0; w < 4; w++)
            for (uint64_t d = __atomic_exchange_n(&app(s)->dirty[w], 0, __ATOMIC_SEQ_CST); d; d &= d - 1) {
                struct sock *so = sock_at(s, w * 64 + (unsigned)__builtin_ctzll(d));
                did = true;
                if (so->pair >= 0 && so->peer) {
                    post_watchers(so->peer);
                }
            }
    }
    if (atomic_load(&f.hold))
        return did;
    for (unsigned i = 0; i < f.nsegs * JR_SEG_SLOTS; i++) {
        struct sock *so = &f.sock[i];
        if (!so->handle_open)
            continue;
        if (so->connecting && (now.tv_sec > so->ready_at.tv_sec ||
                               (now.tv_sec == so->ready_at.tv_sec && now.tv_nsec >= so->ready_at.tv_nsec))) {
            connect_now(so);
            did = true;
        }
        if (so->peer)
            did |= move_bytes(so, so->peer);
        else if (slot_of(so)->type == SOCK_DGRAM)
            did |= move_dgrams(so);
    }
    return did;
}

static struct sock *by_port(uint16_t port)
{
    for (unsigned i = 0; i < f.nsegs * JR_SEG_SLOTS; i++)
        if (f.sock[i].handle_open && (f.sock[i].state & JR_ST_CONNECTED) && slot_of(&f.sock[i])->local.port == port)
            return &f.sock[i];
    return NULL;
}

/* The slot that was left says so for ever after. */
static bool move_sock(uint16_t port)
{
    struct sock *old = by_port(port);
    struct jr_abi_slot *a = old ? slot_of(old) : NULL;
    uint32_t zero = 0;
    if (!old)
        return false;
    while (!__atomic_compare_exchange_n(&a->tx_lock, &zero, JR_LOCK_SERVICE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        zero = 0;
    while (!__atomic_compare_exchange_n(&a->rx_lock, &zero, JR_LOCK_SERVICE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        zero = 0;
    struct seg *s = new_seg();
    struct sock *so = sock_at(s, 5);
    uint32_t oldslot = old->slot;
    struct seg *oldseg = old->seg;
    *so = *old;
    so->seg = s;
    so->slot = 5;
    s->used[5] = true;
    memcpy(slot_of(so), a, sizeof *a);
    slot_of(so)->gen = 1;
    slot_of(so)->watch = 0;
    slot_of(so)->tx_lock = slot_of(so)->rx_lock = 0;
    for (int r = 0; r < 2; r++)
        memcpy(ring_of(so, r), ring_of(old, r), f.cfg.grant > f.cfg.ring ? f.cfg.grant : f.cfg.ring);
    if (so->peer)
        so->peer->peer = so;
    old->peer = NULL;
    old->handle_open = false;
    (void)oldslot;
    (void)oldseg;
    __atomic_store_n(&a->state, so->state | JR_ST_MOVED, __ATOMIC_SEQ_CST);
    __atomic_store_n(&a->rx_lock, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&a->tx_lock, 0, __ATOMIC_SEQ_CST);
    tell(old, STATE);
    return true;
}

static void run_job(void)
{
    unsigned job = atomic_load(&f.job);
    uint16_t port = (uint16_t)atomic_load(&f.job_port);
    if (job == JOB_NONE)
        return;
    if (job == JOB_MOVE)
        atomic_store(&f.job_result, move_sock(port));
    if (job == JOB_RESET && by_port(port))
        fail(by_port(port), ECONNRESET);
    atomic_store(&f.job, JOB_NONE);
}

static unsigned do_job(unsigned job, uint16_t port)
{
    atomic_store(&f.job_port, port);
    atomic_store(&f.job, job);
    while (atomic_load(&f.job) != JOB_NONE)
        usleep(100);
    return atomic_load(&f.job_result);
}

bool fake_move(uint16_t port) { return do_job(JOB_MOVE, port); }
void fake_reset(uint16_t port) { do_job(JOB_RESET, port); }

static void sleep_a_while(void)
{
    struct pollfd p[3 + CLIENTS] = {
        {.fd = f.lfd, .events = POLLIN}, {.fd = f.bell, .events = POLLIN}, {.fd = f.in, .events = POLLIN}};
    for (unsigned i = 0; i < f.nclients; i++)
        p[3 + i] = (struct pollfd){.fd = f.client[i], .events = POLLIN};
    __atomic_fetch_add(&f.policy->sleep_epoch, 1, __ATOMIC_SEQ_CST); /* odd */
    if (!scan() && atomic_load(&f.job) == JOB_NONE)
        poll(p, 3 + f.nclients, 1);
    __atomic_fetch_add(&f.policy->sleep_epoch, 1, __ATOMIC_SEQ_CST);
    uint64_t n;
    if (read(f.bell, &n, sizeof n) == sizeof n)
        atomic_fetch_add(&f.bells, (unsigned)n);
}

static void accept_clients(void)
{
    int fd = accept4(f.lfd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && f.nclients < CLIENTS)
        f.client[f.nclients++] = fd;
    for (unsigned i = 0; i < f.nclients; i++)
        if (!on_request(f.client[i])) {
            close(f.client[i]);
            f.client[i--] = f.client[--f.nclients];
        }
}

static void *loop(void *arg)
{
    (void)arg;
    while (!atomic_load(&f.stop)) {
        accept_clients();
        bool did = scan();
        did |= read_closes();
        run_job();
        if (!did)
            sleep_a_while();
    }
    return NULL;
}

void fake_start(const struct fake_config *cfg)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char path[128];
    memset(&f, 0, sizeof f);
    f.cfg = *cfg;
    f.cfg.ring = cfg->ring ? cfg->ring : 16384;
    f.cfg.grant = cfg->grant ? cfg->grant : f.cfg.ring;
    f.cfg.listen_route = cfg->listen_route ? cfg->listen_route : JR_ROUTE_SERVICE;
    strcpy(f.dir, "/tmp/jr-client-XXXXXX");
    if (!mkdtemp(f.dir))
        die("mkdtemp");
    snprintf(path, sizeof path, "%s/h", f.dir);
    mkdir(path, 0700);
    f.in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    inotify_add_watch(f.in, path, IN_CLOSE_WRITE);
    f.sock = calloc(MAX_SOCK, sizeof *f.sock);
    f.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f.policy_fd = memfd_create("policy", MFD_CLOEXEC);
    if (ftruncate(f.policy_fd, JR_POLICY_SIZE) < 0)
        die("ftruncate");
    f.policy = mmap(NULL, JR_POLICY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.policy_fd, 0);
    f.policy->magic = JR_ABI_MAGIC;
    f.policy->spin_us = cfg->spin_us;
    f.policy->nroutes = 1;
    f.policy->routes[0] = (struct jr_abi_policy_route){
        .prefix = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}, .plen = 111, .route = JR_ROUTE_SERVICE};
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s/sock", f.dir);
    f.lfd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(f.lfd, (struct sockaddr *)&sun, sizeof sun) < 0 || listen(f.lfd, 64) < 0)
        die("listen");
    setenv("JOYRIDE_SOCKET", sun.sun_path, 1);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_create(&f.thread, NULL, loop, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void clean_up(void)
{
    char cmd[128];
    close(f.lfd);
    close(f.in);
    close(f.policy_fd);
    for (unsigned i = 0; i < f.nclients; i++)
        close(f.client[i]);
    snprintf(cmd, sizeof cmd, "rm -rf %s", f.dir);
    if (system(cmd) != 0)
        perror(cmd);
}

void fake_die(void)
{
    atomic_store(&f.stop, true);
    pthread_join(f.thread, NULL);
    for (unsigned i = 0; i < f.nsegs; i++) {
        uint32_t w = __atomic_load_n(&hdr(&f.seg[i])->owner, __ATOMIC_RELAXED);
        __atomic_store_n(&hdr(&f.seg[i])->owner, (w & FUTEX_WAITERS) | FUTEX_OWNER_DIED, __ATOMIC_RELEASE);
        /* The kernel wakes one. */
        syscall(SYS_futex, &hdr(&f.seg[i])->owner, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    clean_up();
}

void fake_stop(void) { fake_die(); }

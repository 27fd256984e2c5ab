/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/rig_test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/byteorder.h"

/* ---- hosts ---- */

static struct rig_host *self(struct jr_dev *dev) { return JR_CONTAINER_OF(dev, struct rig_host, dev); }

static unsigned cable_rx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    unsigned got = 0;

    (void)now;
    while (got < n && (pkts[got] = jr_pktq_pop(&self(dev)->rx)))
        got++;
    return got;
}

static unsigned cable_tx(struct jr_dev *dev, struct jr_pkt **pkts, unsigned n, jr_time now)
{
    struct rig_host *h = self(dev), *other = h == &h->rig->a ? &h->rig->b : &h->rig->a;

    (void)now;
    for (unsigned i = 0; i < n; i++) {
        if (!h->cut)
            jr_pktq_push(&other->rx, jr_heap_pkt_copy(&other->pool, jr_pkt_data(pkts[i]), pkts[i]->len));
        jr_pkt_free(pkts[i]);
    }
    return n;
}

static void cable_close(struct jr_dev *dev) { (void)dev; }

static int port_add(void *ctx, uint8_t proto, bool v6, uint16_t port)
{
    (void)proto;
    (void)v6;
    (void)port;
    ((struct rig_host *)ctx)->hook_adds++;
    return 0;
}

static void port_del(void *ctx, uint8_t proto, bool v6, uint16_t port)
{
    (void)proto;
    (void)v6;
    (void)port;
    ((struct rig_host *)ctx)->hook_dels++;
}

static void host_stack(struct rig_host *h, uint8_t last, jr_time now)
{
    static const struct jr_dev_ops ops = {.rx_burst = cable_rx, .tx_burst = cable_tx, .close = cable_close};
    struct jr_tcp_config tcp;

    h->addr = jr_addr_v4(jr_be32(0x0a000000u + last));
    jr_rng_init(&h->rng, last);
    jr_heap_pool_init(&h->pool, 1500, 0);
    h->dev = (struct jr_dev){
        .ops = &ops, .name = "cable", .mac = {{2, 0, 0, 0, 0, last}}, .mtu = 1500, .tx_pool = &h->pool.pool};
    h->ifp = jr_netif_new(&h->dev, &h->counters, &h->rng);
    h->ip = jr_ip_new(&h->counters, &h->rng, NULL);
    jr_ip_netif_add(h->ip, h->ifp);
    jr_ip_addr_add(h->ip, h->ifp, h->addr, 24, jr_addr_v4(jr_be32(0x0a0000ff)), true, now);
    jr_tcp_config_defaults(&tcp);
    tcp.port_first = 40000;
    tcp.port_last = 49999;
    tcp.seed = last;
    h->tcp = jr_tcp_new(h->ip, &tcp);
    h->udp = jr_udp_new(h->ip, 50000, 59999, tcp.secret);
}

static void host_init(struct rig_host *h, struct rig *r, uint8_t last, void (*tweak)(struct jr_ctl_config *))
{
    struct jr_ctl_config cfg;

    h->rig = r;
    host_stack(h, last, r->now);
    snprintf(h->dir, sizeof h->dir, "/tmp/jr-rig.XXXXXX");
    JR_CHECK(mkdtemp(h->dir) != NULL);
    jr_ctl_config_defaults(&cfg);
    cfg.run_dir = h->dir;
    cfg.ip = h->ip;
    cfg.tcp = h->tcp;
    cfg.udp = h->udp;
    cfg.counters = &h->counters;
    cfg.hooks = (struct jr_port_hooks){.ctx = h, .port_add = port_add, .port_del = port_del};
    cfg.shared_ports = false;
    if (tweak)
        tweak(&cfg);
    h->ctl = jr_ctl_new(&cfg, r->now);
    JR_CHECK(h->ctl != NULL);
}

static void host_fini(struct rig_host *h)
{
    char path[80];

    jr_ctl_free(h->ctl);
    jr_tcp_free(h->tcp);
    jr_udp_free(h->udp);
    jr_ip_free(h->ip);
    jr_netif_free(h->ifp);
    jr_pktq_purge(&h->rx);
    JR_CHECK_EQ(h->pool.pool.in_use, 0);
    snprintf(path, sizeof path, "%s/handles", h->dir);
    JR_CHECK_EQ(rmdir(path), 0); /* every name is gone */
    JR_CHECK_EQ(rmdir(h->dir), 0);
}

void rig_init(struct rig *r, void (*tweak)(struct jr_ctl_config *cfg))
{
    memset(r, 0, sizeof *r);
    r->now = 1000 * JR_SEC;
    host_init(&r->a, r, 1, tweak);
    host_init(&r->b, r, 2, tweak);
}

void rig_fini(struct rig *r)
{
    rig_run(r, 10 * JR_MS);
    host_fini(&r->a);
    host_fini(&r->b);
}

static void host_turn(struct rig_host *h, jr_time now)
{
    struct jr_pkt *pkts[32];
    const unsigned n = h->dev.ops->rx_burst(&h->dev, pkts, 32, now);

    for (unsigned i = 0; i < n; i++)
        jr_ip_input(h->ifp, pkts[i], now);
    jr_tcp_flush(h->tcp, now);
    jr_ctl_service_fds(h->ctl, now);
    if (jr_ctl_poll(h->ctl, now))
        jr_tcp_flush(h->tcp, now);
    if (jr_tcp_next_tick(h->tcp) <= now)
        jr_tcp_tick(h->tcp, now);
    if (jr_ip_next_tick(h->ip) <= now)
        jr_ip_tick(h->ip, now);
    jr_ip_flush(h->ip, now);
    jr_ctl_flush_wakeups(h->ctl);
}

void rig_step(struct rig *r)
{
    r->now += 50;
    host_turn(&r->a, r->now);
    host_turn(&r->b, r->now);
}

void rig_run(struct rig *r, jr_time us)
{
    for (const jr_time end = r->now + us; r->now < end;)
        rig_step(r);
}

/* ---- programs ---- */

#include <sys/un.h>

int rig_connect_raw(struct rig_host *h)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s/netsvc.sock", h->dir);
    if (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int send_request(int fd, uint32_t op, const void *req, uint32_t len, int send_fd)
{
    struct jr_abi_ctl_hdr h = {.magic = JR_ABI_MAGIC, .op = op, .len = len};
    struct iovec iov[2] = {{&h, sizeof h}, {(void *)(uintptr_t)req, len}};
    char cbuf[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

    if (send_fd >= 0) {
        m.msg_control = cbuf;
        m.msg_controllen = sizeof cbuf;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &send_fd, sizeof send_fd);
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_reply(int fd, void *rep, uint32_t rep_len, int *fds, unsigned *nfds)
{
    struct jr_abi_ctl_hdr h;
    struct iovec iov[2] = {{&h, sizeof h}, {rep, rep_len}};
    char cbuf[CMSG_SPACE(JR_HANDLE_BATCH * sizeof(int))] __attribute__((aligned(8)));
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = cbuf, .msg_controllen = sizeof cbuf};
    const ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const unsigned room = nfds ? *nfds : 0;

    if (n < 0)
        return -errno;
    if (n == 0)
        return -ECONNRESET;
    if (nfds)
        *nfds = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        for (unsigned i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) && nfds && *nfds < room; i++)
            memcpy(&fds[(*nfds)++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    return h.status;
}

int rig_request(struct rig_host *h, int fd, uint32_t op, const void *req, uint32_t len, int send_fd, void *rep,
                uint32_t rep_len, int *fds, unsigned *nfds)
{
    int r = send_request(fd, op, req, len, send_fd);

    if (r < 0)
        return r;
    r = -EAGAIN;
    for (int i = 0; i < 2000 && r == -EAGAIN; i++) {
        rig_step(h->rig);
        r = receive_reply(fd, rep, rep_len, fds, nfds);
    }
    return r;
}

bool rig_map(struct rig_app *app, int seg_fd)
{
    app->base = mmap(NULL, JR_SEG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, seg_fd, 0);
    if (app->base == MAP_FAILED)
        return false;
    app->seg_fd = seg_fd;
    app->hdr = (struct jr_abi_seg_hdr *)app->base;
    app->app = (struct jr_abi_seg_app *)(app->base + JR_SEG_APP_OFF);
    app->seg_id = app->hdr->seg_id;
    return true;
}

bool rig_attach(struct rig_app *app, struct rig_host *h)
{
    const struct jr_abi_ctl_hello_req hello = {.version = JR_ABI_VERSION, .checksum = JR_ABI_CHECKSUM};
    const struct jr_abi_ctl_seg_new_req seg = {0};
    struct jr_abi_ctl_hello_rep hello_rep;
    struct jr_abi_ctl_seg_new_rep seg_rep;
    int fds[2];
    unsigned n = 2;

    *app = (struct rig_app){.host = h, .fd = rig_connect_raw(h)};
    if (app->fd < 0 ||
        rig_request(h, app->fd, JR_CTL_HELLO, &hello, sizeof hello, -1, &hello_rep, sizeof hello_rep, fds, &n) < 0 ||
        n != 2)
        return false;
    app->policy_fd = fds[0];
    app->bell = fds[1];
    app->policy = mmap(NULL, JR_POLICY_SIZE, PROT_READ, MAP_SHARED, app->policy_fd, 0);
    n = 1;
    if (rig_request(h, app->fd, JR_CTL_SEG_NEW, &seg, sizeof seg, -1, &seg_rep, sizeof seg_rep, fds, &n) < 0 || n != 1)
        return false;
    return rig_map(app, fds[0]);
}

void rig_detach(struct rig_app *app)
{
    munmap(app->base, JR_SEG_SIZE);
    close(app->seg_fd);
    if (app->policy) {
        munmap((void *)(uintptr_t)app->policy, JR_POLICY_SIZE);
        close(app->policy_fd);
        close(app->bell);
    }
    if (app->fd >= 0)
        close(app->fd);
}

void rig_sock_at(struct rig_sock *s, struct rig_app *app, uint32_t slot, int fd)
{
    s->app = app;
    s->slot = slot;
    s->fd = fd;
    s->sl = (struct jr_abi_slot *)(app->base + JR_SEG_SLOT_OFF) + slot;
    s->tx = app->base + JR_SEG_RING_OFF + (uint64_t)slot * 2 * JR_RING_MAX;
    s->rx = s->tx + JR_RING_MAX;
}

bool rig_socket(struct rig_sock *s, struct rig_app *app, int type)
{
    const struct jr_abi_ctl_handles_req req = {.seg_id = app->seg_id, .want = 1};
    struct jr_abi_ctl_handles_rep rep;
    unsigned n = 1;
    int fd;

    if (rig_request(app->host, app->fd, JR_CTL_HANDLES, &req, sizeof req, -1, &rep, sizeof rep, &fd, &n) < 0 || n != 1)
        return false;
    rig_sock_at(s, app, rep.slot[0], fd);
    s->sl->family = AF_INET;
    s->sl->type = (uint32_t)type;
    return true;
}

void rig_close(struct rig_sock *s)
{
    close(s->fd);
    s->fd = -1;
    __atomic_fetch_add(&s->app->app->closed, 1, __ATOMIC_SEQ_CST);
    rig_run(s->app->host->rig, 2 * JR_MS);
}

void rig_mark(struct rig_sock *s)
{
    __atomic_fetch_or(&s->app->app->dirty[s->slot >> 6], 1ull << (s->slot & 63), __ATOMIC_SEQ_CST);
}

int rig_command(struct rig_sock *s, uint32_t op, const void *req, uint32_t len, void *rep, uint32_t rep_len)
{
    struct jr_abi_cell *c = (struct jr_abi_cell *)(s->app->base + JR_SEG_CELL_OFF);
    const uint32_t done = c->done;

    c->op = op;
    c->slot = s->slot;
    c->len = len;
    memcpy(c->req, req, len);
    __atomic_fetch_or(&s->app->app->posted, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 100 && __atomic_load_n(&c->done, __ATOMIC_ACQUIRE) == done; i++)
        rig_step(s->app->host->rig);
    if (c->done == done)
        return -ETIMEDOUT;
    if (rep)
        memcpy(rep, c->rep, jr_min_u32(rep_len, c->rep_len));
    return c->result;
}

static struct jr_abi_addr abi_addr(struct jr_addr addr, uint16_t port)
{
    struct jr_abi_addr a = {.port = port, .family = AF_INET};

    memcpy(a.addr, addr.b, sizeof a.addr);
    return a;
}

int rig_bind(struct rig_sock *s, struct jr_addr addr, uint16_t port, uint32_t *route)
{
    const struct jr_abi_cmd_bind_req req = {.addr = abi_addr(addr, port)};
    struct jr_abi_cmd_bind_rep rep = {0};
    const int r = rig_command(s, JR_CMD_BIND, &req, sizeof req, &rep, sizeof rep);

    if (route)
        *route = rep.route;
    return r;
}

int rig_listen(struct rig_sock *s, uint32_t backlog, uint32_t *route)
{
    const struct jr_abi_cmd_listen_req req = {.backlog = backlog};
    struct jr_abi_cmd_listen_rep rep = {0};
    const int r = rig_command(s, JR_CMD_LISTEN, &req, sizeof req, &rep, sizeof rep);

    if (route)
        *route = rep.route;
    return r;
}

int rig_connect(struct rig_sock *s, struct jr_addr addr, uint16_t port, uint32_t *route)
{
    const struct jr_abi_cmd_connect_req req = {.addr = abi_addr(addr, port)};
    struct jr_abi_cmd_connect_rep rep = {0};
    const int r = rig_command(s, JR_CMD_CONNECT, &req, sizeof req, &rep, sizeof rep);

    if (route)
        *route = rep.route;
    return r;
}

int rig_accept(struct rig_sock *listener, struct rig_sock *s)
{
    struct jr_abi_cmd_accept_req req = {.listener_seg = listener->app->seg_id, .listener_slot = listener->slot};
    struct jr_abi_cmd_accept_rep rep;

    memcpy(req.key, listener->app->hdr->key, sizeof req.key);
    return rig_command(s, JR_CMD_ACCEPT, &req, sizeof req, &rep, sizeof rep);
}

int rig_shutdown(struct rig_sock *s, int how)
{
    const struct jr_abi_cmd_shutdown_req req = {.how = (uint32_t)how};

    return rig_command(s, JR_CMD_SHUTDOWN, &req, sizeof req, NULL, 0);
}

int rig_setopt(struct rig_sock *s, int level, int name, int value)
{
    struct jr_abi_cmd_setsockopt_req req = {.level = level, .name = name, .len = sizeof value};

    memcpy(req.val, &value, sizeof value);
    return rig_command(s, JR_CMD_SETSOCKOPT, &req, sizeof req, NULL, 0);
}

int rig_getopt(struct rig_sock *s, int level, int name, int *value)
{
    const struct jr_abi_cmd_getsockopt_req req = {.level = level, .name = name, .len = sizeof *value};
    struct jr_abi_cmd_getsockopt_rep rep = {0};
    const int r = rig_command(s, JR_CMD_GETSOCKOPT, &req, sizeof req, &rep, sizeof rep);

    memcpy(value, rep.val, sizeof *value);
    return r;
}

uint32_t rig_state(const struct rig_sock *s) { return __atomic_load_n(&s->sl->state, __ATOMIC_ACQUIRE); }

int rig_error(struct rig_sock *s)
{
    const uint32_t err = __atomic_load_n(&s->sl->err, __ATOMIC_ACQUIRE);

    if (err == s->sl->err_taken)
        return 0;
    s->sl->err_taken = err;
    return (int)(err & 0xffff);
}

/* ---- rings ---- */

static void raise_cap(struct rig_sock *s)
{
    struct jr_abi_ring *tx = &s->sl->tx;
    const uint64_t head = __atomic_load_n(&tx->head, __ATOMIC_ACQUIRE);
    const uint32_t grant = __atomic_load_n(&s->sl->tx_grant, __ATOMIC_ACQUIRE);

    if (grant > tx->cap && head == tx->tail)
        __atomic_store_n(&tx->cap, grant, __ATOMIC_RELEASE);
}

static void publish(struct rig_sock *s, const void *data, uint32_t len, uint64_t tail)
{
    struct jr_sockbuf sb = {.base = s->tx, .cap = s->sl->tx.cap};

    jr_sockbuf_write(&sb, s->sl->tx.tail, data, len);
    __atomic_store_n(&s->sl->tx.tail, tail, __ATOMIC_RELEASE);
    rig_mark(s);
}

uint32_t rig_send(struct rig_sock *s, const void *data, uint32_t len)
{
    struct jr_abi_ring *tx = &s->sl->tx;

    raise_cap(s);
    const uint64_t used = tx->tail - __atomic_load_n(&tx->head, __ATOMIC_ACQUIRE);
    len = jr_min_u32(len, (uint32_t)(tx->cap - used));
    if (len)
        publish(s, data, len, tx->tail + len);
    return len;
}

uint32_t rig_recv(struct rig_sock *s, void *data, uint32_t len)
{
    struct jr_abi_ring *rx = &s->sl->rx;
    const uint64_t tail = __atomic_load_n(&rx->tail, __ATOMIC_ACQUIRE);
    const struct jr_sockbuf sb = {.base = s->rx, .cap = __atomic_load_n(&rx->cap, __ATOMIC_ACQUIRE)};

    len = jr_min_u32(len, (uint32_t)(tail - rx->head));
    jr_sockbuf_read(&sb, rx->head, data, len);
    __atomic_store_n(&rx->head, rx->head + len, __ATOMIC_RELEASE);
    if (rx->head >= __atomic_load_n(&s->sl->rx_notify_at, __ATOMIC_ACQUIRE))
        rig_mark(s);
    return len;
}

bool rig_sendto(struct rig_sock *s, const void *data, uint32_t len, struct jr_addr addr, uint16_t port)
{
    struct jr_abi_ring *tx = &s->sl->tx;
    const struct jr_abi_dgram h = {.len = len, .peer = abi_addr(addr, port)};
    const uint32_t total = (uint32_t)sizeof h + ((len + 7) & ~7u);
    uint8_t *rec = calloc(1, total);

    raise_cap(s);
    const bool fits = tx->tail - __atomic_load_n(&tx->head, __ATOMIC_ACQUIRE) + total <= tx->cap;
    memcpy(rec, &h, sizeof h);
    if (port == 0)
        memset(rec + offsetof(struct jr_abi_dgram, peer), 0, sizeof h.peer);
    memcpy(rec + sizeof h, data, len);
    if (fits)
        publish(s, rec, total, tx->tail + total);
    free(rec);
    return fits;
}

int rig_recvfrom(struct rig_sock *s, void *data, uint32_t len, struct jr_abi_addr *from)
{
    struct jr_abi_ring *rx = &s->sl->rx;
    const struct jr_sockbuf sb = {.base = s->rx, .cap = rx->cap};
    struct jr_abi_dgram h;

    if (rx->head == __atomic_load_n(&rx->tail, __ATOMIC_ACQUIRE))
        return -1;
    jr_sockbuf_read(&sb, rx->head, &h, sizeof h);
    jr_sockbuf_read(&sb, rx->head + sizeof h, data, jr_min_u32(h.len, len));
    if (from)
        *from = h.peer;
    __atomic_store_n(&rx->head, rx->head + sizeof h + ((h.len + 7) & ~7u), __ATOMIC_RELEASE);
    return (int)h.len;
}

bool rig_pair_up(struct rig_app *ca, struct rig_app *la, uint16_t port, struct rig_sock *c, struct rig_sock *l,
                 struct rig_sock *s)
{
    if (!rig_socket(l, la, SOCK_STREAM) || rig_bind(l, la->host->addr, port, NULL) < 0 || rig_listen(l, 8, NULL) < 0)
        return false;
    if (!rig_socket(c, ca, SOCK_STREAM))
        return false;
    const int r = rig_connect(c, la->host->addr, port, NULL);
    if (r < 0 && r != -EINPROGRESS)
        return false;
    rig_run(ca->host->rig, 20 * JR_MS);
    return rig_socket(s, la, SOCK_STREAM) && rig_accept(l, s) == 0;
}

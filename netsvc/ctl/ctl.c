/* SPDX-License-Identifier: BSD-3-Clause */
/* Life and turn of the border: start, scan, sleep, end. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/siphash.h"
#include "ctl/priv.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define EVENTS_PER_TURN 64

void jr_ctl_config_defaults(struct jr_ctl_config *cfg)
{
    *cfg = (struct jr_ctl_config){
        .default_route = JR_ROUTE_SERVICE,
        .loopback = JR_ROUTE_LOCAL,
        .udp_wildcard = JR_ROUTE_KERNEL,
        .multicast = JR_ROUTE_KERNEL,
        .shared_ports = true,
        .spin_us = 0,
        .max_sockets_per_user = 65536,
        .max_segments_per_user = 2048,
        .max_clients_per_user = 1024,
        .max_clients = 4096,
        .max_pairs = 4096,
        .ring_init = 65536,
        .tx_ring_max = 16u << 20,
        .rx_ring_max = 16u << 20,
        .dgram_ring = 262144,
        .embryo_bytes_max = 64u << 20,
        .time_wait_us = 60u * 1000000,
        .socket_mode = 0666,
    };
}

int jr_ctl_watch(struct jr_ctl *ctl, int fd, struct jr_ctl_source *src, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = src};

    return epoll_ctl(ctl->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

struct jr_seg *jr_ctl_seg_find(void *arg, uint32_t id)
{
    const struct jr_ctl *ctl = arg;
    const uint32_t i = id & (JR_CTL_MAX_SEGS - 1);

    return i < ctl->nsegs && ctl->segs[i].seg && ctl->segs[i].seg->id == id ? ctl->segs[i].seg : NULL;
}

/* An entry of the table; -1: none. */
static int32_t seg_entry(struct jr_ctl *ctl)
{
    for (uint32_t i = 0; i < ctl->nsegs; i++)
        if (!ctl->segs[i].seg)
            return (int32_t)i;
    if (ctl->nsegs == JR_CTL_MAX_SEGS)
        return -1;
    if (ctl->nsegs == ctl->seg_room) {
        const uint32_t room = ctl->seg_room ? 2 * ctl->seg_room : 64;
        struct jr_ctl_seg *bigger = realloc(ctl->segs, room * sizeof bigger[0]);
        if (!bigger)
            return -1;
        ctl->segs = bigger;
        ctl->seg_room = room;
    }
    return (int32_t)ctl->nsegs++;
}

struct jr_seg *jr_ctl_seg_new(struct jr_ctl *ctl)
{
    const int32_t i = seg_entry(ctl);
    struct {
        uint64_t serial, half;
    } in = {++ctl->seg_serial, 0};
    uint64_t key[2];

    if (i < 0) {
        errno = ENOMEM;
        return NULL;
    }
    key[0] = jr_siphash(ctl->cfg.key, &in, sizeof in);
    in.half = 1;
    key[1] = jr_siphash(ctl->cfg.key, &in, sizeof in);
    struct jr_seg *seg = jr_seg_new(ctl->seg_serial * JR_CTL_MAX_SEGS + (uint32_t)i, key);
    ctl->segs[i] = (struct jr_ctl_seg){.seg = seg, .app = seg ? seg->app : NULL};
    if (seg)
        jr_count(ctl->cfg.counters, JR_C_CTL_SEGMENTS);
    return seg;
}

void jr_ctl_seg_unused(void *arg, struct jr_seg *seg)
{
    struct jr_ctl *ctl = arg;

    if (seg == ctl->scanned)
        return;
    ctl->segs[seg->id & (JR_CTL_MAX_SEGS - 1)].seg = NULL;
    jr_seg_free(seg, ctl->ending);
}

static void on_handle_closed(void *arg, void *user)
{
    struct jr_ctl *ctl = arg;

    jr_sock_on_close(user, ctl->now);
}

static void on_handle_overflow(void *arg)
{
    struct jr_ctl *ctl = arg;

    jr_count(ctl->cfg.counters, JR_C_CTL_CLOSE_OVERFLOW);
}

static void on_handles_ready(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now)
{
    (void)src;
    (void)events;
    ctl->now = now;
    jr_handles_read(ctl->handles);
}

static void take_closes(void *arg, jr_time now) { on_handles_ready(arg, NULL, 0, now); }

static void signal_owner(void *arg, void *handle)
{
    struct jr_ctl *ctl = arg;

    jr_handle_signal(ctl->handles, handle);
}

static int open_handles(struct jr_ctl *ctl)
{
    const struct jr_handles_ops ops = {.ctx = ctl, .on_closed = on_handle_closed, .on_overflow = on_handle_overflow};
    char *path;

    if (asprintf(&path, "%s/handles", ctl->cfg.run_dir) < 0)
        return -ENOMEM;
    ctl->handles = jr_handles_new(path, &ops);
    free(path);
    if (!ctl->handles)
        return -errno;
    ctl->handles_src.ready = on_handles_ready;
    return jr_ctl_watch(ctl, jr_handles_fd(ctl->handles), &ctl->handles_src, EPOLLIN);
}

/* A socket left behind by a dead service is replaced; one that answers is somebody else's. */
static bool is_alive(const struct sockaddr_un *sun)
{
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *)sun, sizeof *sun) == 0 || errno == EAGAIN);

    if (fd >= 0)
        close(fd);
    return alive;
}

static int open_socket(struct jr_ctl *ctl)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    socklen_t len = sizeof ctl->netns_cookie;
    const int n = snprintf(sun.sun_path, sizeof sun.sun_path, "%s/netsvc.sock", ctl->cfg.run_dir);

    if (n < 0 || (size_t)n >= sizeof sun.sun_path)
        return -ENAMETOOLONG;
    if (is_alive(&sun))
        return -EADDRINUSE;
    unlink(sun.sun_path);
    ctl->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ctl->listen_fd < 0)
        return -errno;
    getsockopt(ctl->listen_fd, SOL_SOCKET, SO_NETNS_COOKIE, &ctl->netns_cookie, &len);
    if (bind(ctl->listen_fd, (struct sockaddr *)&sun, sizeof sun) < 0)
        return -errno;
    ctl->socket_path = strdup(sun.sun_path);
    if (!ctl->socket_path)
        return -ENOMEM;
    if (chmod(sun.sun_path, ctl->cfg.socket_mode) < 0 || listen(ctl->listen_fd, 128) < 0)
        return -errno;
    ctl->listen_src.ready = jr_client_on_listen;
    return jr_ctl_watch(ctl, ctl->listen_fd, &ctl->listen_src, EPOLLIN);
}

static int open_socks(struct jr_ctl *ctl, jr_time now)
{
    const struct jr_ctl_config *c = &ctl->cfg;
    const struct jr_socks_config cfg = {
        .ip = c->ip,
        .tcp = c->tcp,
        .udp = c->udp,
        .counters = c->counters,
        .hooks = c->hooks,
        .host = {.ctx = ctl,
                 .seg_find = jr_ctl_seg_find,
                 .take_closes = take_closes,
                 .signal = signal_owner,
                 .seg_unused = jr_ctl_seg_unused},
        .rules = ctl->rules,
        .policy = &ctl->policy,
        .loopback = c->loopback,
        .udp_wildcard = c->udp_wildcard,
        .multicast = c->shared_ports ? JR_ROUTE_KERNEL : c->multicast,
        .shared_ports = c->shared_ports,
        .ring_init = c->ring_init,
        .tx_ring_max = c->tx_ring_max,
        .rx_ring_max = c->rx_ring_max,
        .dgram_ring = c->dgram_ring,
        .embryo_bytes_max = c->embryo_bytes_max,
        .max_pairs = c->max_pairs,
        .time_wait_us = c->time_wait_us,
    };

    return jr_socks_init(&ctl->socks, &cfg, now);
}

static void on_relay_ready(struct jr_ctl *ctl, struct jr_ctl_source *src, uint32_t events, jr_time now)
{
    (void)src;
    (void)events;
    jr_relay_service(&ctl->socks, now);
}

static int open_all(struct jr_ctl *ctl, jr_time now)
{
    int r = jr_policy_init(&ctl->policy, ctl->cfg.spin_us, ctl->cfg.loopback);

    if (r < 0)
        return r;
    ctl->rules = jr_rules_new(ctl->cfg.rules, ctl->cfg.nrules, ctl->cfg.default_route);
    if (!ctl->rules)
        return -ENOMEM;
    r = open_socks(ctl, now);
    if (r < 0)
        return r;
    ctl->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ctl->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ctl->spare_fd < 0 || ctl->epoll_fd < 0)
        return -errno;
    ctl->relay_src.ready = on_relay_ready;
    ctl->bell_src.ready = jr_client_on_bell;
    r = ctl->socks.relay_fd < 0 ? 0 : jr_ctl_watch(ctl, ctl->socks.relay_fd, &ctl->relay_src, EPOLLIN);
    if (r == 0)
        r = open_handles(ctl);
    return r < 0 ? r : open_socket(ctl);
}

struct jr_ctl *jr_ctl_new(const struct jr_ctl_config *cfg, jr_time now)
{
    struct jr_ctl *ctl = calloc(1, sizeof *ctl);
    int r;

    if (!ctl)
        return NULL;
    ctl->cfg = *cfg;
    ctl->now = now;
    ctl->listen_fd = ctl->epoll_fd = ctl->spare_fd = -1;
    jr_list_init(&ctl->clients);
    jr_list_init(&ctl->zombies);
    jr_list_init(&ctl->adopting);
    r = open_all(ctl, now);
    if (r == 0)
        return ctl;
    jr_ctl_free(ctl);
    errno = -r;
    return NULL;
}

static void close_if(int fd)
{
    if (fd >= 0)
        close(fd);
}

void jr_ctl_free(struct jr_ctl *ctl)
{
    ctl->ending = true;
    close_if(ctl->listen_fd);
    if (ctl->socket_path)
        unlink(ctl->socket_path);
    free(ctl->socket_path);
    for (uint32_t i = 0; i < ctl->nsegs; i++)
        if (ctl->segs[i].seg)
            jr_region_mark_dead(&ctl->segs[i].seg->region);
    while (!jr_list_empty(&ctl->clients))
        jr_client_drop(ctl, JR_LIST_ENTRY(jr_list_first(&ctl->clients), struct jr_client, link));
    jr_client_bury(ctl);
    if (ctl->socks.ports)
        jr_socks_fini(&ctl->socks, ctl->now);
    for (uint32_t i = 0; i < ctl->nsegs; i++)
        if (ctl->segs[i].seg)
            jr_ctl_seg_unused(ctl, ctl->segs[i].seg);
    free(ctl->segs);
    if (ctl->handles)
        jr_handles_free(ctl->handles);
    jr_rules_free(ctl->rules);
    jr_policy_fini(&ctl->policy);
    close_if(ctl->epoll_fd);
    close_if(ctl->spare_fd);
    free(ctl);
}

static bool is_marked(const struct jr_ctl_seg *s)
{
    return s->seg && (s->more || jr_seg_is_marked(s->app, s->closed_seen));
}

static unsigned scan_one(struct jr_ctl *ctl, struct jr_ctl_seg *s, jr_time now)
{
    struct jr_seg *seg = s->seg;
    struct jr_seg_marks marks;
    unsigned n = 0;

    ctl->scanned = seg;
    jr_seg_take_marks(seg, &marks);
    s->closed_seen = seg->closed_seen;
    if (marks.closed)
        n += jr_handles_read(ctl->handles);
    n += jr_socks_on_marks(&ctl->socks, seg, &marks, now);
    s->more = seg->posted_left != 0;
    ctl->scanned = NULL;
    if (seg->nused == 0 && !seg->owner)
        jr_ctl_seg_unused(ctl, seg);
    return n;
}

static unsigned scan(struct jr_ctl *ctl, jr_time now)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < ctl->nsegs; i++)
        if (is_marked(&ctl->segs[i]))
            n += scan_one(ctl, &ctl->segs[i], now);
    return n;
}

unsigned jr_ctl_poll(struct jr_ctl *ctl, jr_time now)
{
    unsigned n;

    ctl->now = now;
    n = ctl->fd_work + scan(ctl, now);
    ctl->fd_work = 0;
    n += jr_socks_poll(&ctl->socks, now);
    if (JR_UNLIKELY(!jr_list_empty(&ctl->adopting)))
        n += jr_adopt_retry(ctl, now);
    return n;
}

int jr_ctl_epoll_fd(struct jr_ctl *ctl) { return ctl->epoll_fd; }

void jr_ctl_service_fds(struct jr_ctl *ctl, jr_time now)
{
    struct epoll_event events[EVENTS_PER_TURN];
    const int n = epoll_wait(ctl->epoll_fd, events, EVENTS_PER_TURN, 0);

    ctl->now = now;
    for (int i = 0; i < n; i++) {
        struct jr_ctl_source *src = events[i].data.ptr;
        src->ready(ctl, src, events[i].events, now);
        ctl->fd_work++;
    }
    jr_client_bury(ctl);
}

jr_time jr_ctl_next_event(const struct jr_ctl *ctl)
{
    if (!jr_list_empty(&ctl->adopting))
        return ctl->now + JR_MS;
    return jr_socks_next_event(&ctl->socks);
}

bool jr_ctl_prepare_sleep(struct jr_ctl *ctl)
{
    bool work = ctl->fd_work || jr_socks_has_work(&ctl->socks);

    jr_policy_set_sleeping(&ctl->policy, true);
    for (uint32_t i = 0; i < ctl->nsegs && !work; i++)
        work = is_marked(&ctl->segs[i]);
    if (work)
        jr_policy_set_sleeping(&ctl->policy, false);
    return !work;
}

void jr_ctl_woke(struct jr_ctl *ctl) { jr_policy_set_sleeping(&ctl->policy, false); }
void jr_ctl_flush_wakeups(struct jr_ctl *ctl) { jr_socks_flush(&ctl->socks); }
void jr_ctl_set_crowded(struct jr_ctl *ctl, bool crowded) { jr_policy_set_crowded(&ctl->policy, crowded); }
uint32_t jr_ctl_socket_count(const struct jr_ctl *ctl) { return ctl->socks.nsocks; }
uint32_t jr_ctl_client_count(const struct jr_ctl *ctl) { return ctl->nclients; }

size_t jr_ctl_dump(struct jr_ctl *ctl, jr_time now, char *buf, size_t n)
{
    const size_t inner = n > 2 ? n - 2 : 0; /* room for the brackets; the inner text's NUL becomes the closing one */
    const size_t len = jr_socks_dump(&ctl->socks, now, inner ? buf + 1 : NULL, inner);
    const size_t end = len < inner ? len : inner ? inner - 1 : 0;

    if (n > 2) {
        buf[0] = '[';
        buf[1 + end] = ']';
        buf[2 + end] = 0;
    } else if (n) {
        buf[0] = 0;
    }
    return len + 2;
}

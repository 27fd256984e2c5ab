/* SPDX-License-Identifier: BSD-3-Clause */
/* All sockets of a worker: what programs marked, and what has to be done now and then. */
#include "sock/socks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sock/cmd.h"
#include "sock/pair.h"
#include "sock/port.h"
#include "sock/relay.h"
#include "sock/self.h"
#include "sock/sock.h"

#define COMMANDS_PER_TURN 8u  /* of one segment: some cost many microseconds, during which nobody else is served */
#define DGRAMS_PER_TURN 1024u /* of all sockets */
#define CHORE_EVERY (1 * JR_SEC)
#define CHORE_MORE (5 * JR_MS)

static uint32_t read_unprivileged_port(void)
{
    unsigned port = 1024;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");

    if (f) {
        if (fscanf(f, "%u", &port) != 1)
            port = 1024;
        fclose(f);
    }
    return port;
}

int jr_socks_init(struct jr_socks *ss, const struct jr_socks_config *cfg, jr_time now)
{
    int r;

    *ss = (struct jr_socks){.cfg = *cfg,
                            .unprivileged_port = read_unprivileged_port(),
                            .next_chore = now + CHORE_EVERY,
                            .dgram_budget = DGRAMS_PER_TURN,
                            .relay_fd = -1};
    jr_list_init(&ss->all);
    jr_list_init(&ss->touched);
    jr_list_init(&ss->busy);
    jr_list_init(&ss->merging);
    jr_list_init(&ss->listeners);
    jr_list_init(&ss->pairs);
    jr_list_init(&ss->waiting);
    jr_list_init(&ss->warm);
    jr_list_init(&ss->used);
    r = jr_wake_init(&ss->wake);
    if (r < 0)
        return r;
    ss->ports = jr_ports_new();
    if (ss->ports && jr_self_is_on(ss))
        ss->relay_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ss->ports && (ss->relay_fd >= 0 || !jr_self_is_on(ss)))
        return 0;
    r = ss->ports ? -errno : -ENOMEM;
    free(ss->ports);
    ss->ports = NULL;
    jr_wake_fini(&ss->wake);
    return r;
}

void jr_socks_fini(struct jr_socks *ss, jr_time now)
{
    jr_pairs_end(ss);
    JR_LIST_EACH(l, &ss->all) {
        struct jr_sock *so = JR_LIST_ENTRY(l, struct jr_sock, all);
        so->handle_open = false;
        if (so->tp)
            jr_tcp_close(so->tp, true, now); /* peers hear of it */
        if (so->up)
            jr_udp_close(so->up);
        so->up = NULL;
    }
    jr_tcp_flush(ss->cfg.tcp, now); /* releases those that tcp knew */
    JR_LIST_EACH_SAFE(l, &ss->all)
        jr_sock_release(JR_LIST_ENTRY(l, struct jr_sock, all));
    jr_ports_free(ss);
    if (ss->relay_fd >= 0)
        close(ss->relay_fd);
    jr_wake_fini(&ss->wake);
}

/* The socket that lives in a slot; not the signpost of one that moved. */
static struct jr_sock *sock_at(const struct jr_seg *seg, uint32_t slot)
{
    struct jr_sock *so = slot < JR_SEG_SLOTS ? seg->so[slot] : NULL;

    return so && so->seg == seg && so->slot == slot && so->handle_open ? so : NULL;
}

void jr_sock_on_dirty(struct jr_sock *so, jr_time now)
{
    const uint32_t zc_sent = __atomic_load_n(&so->sl->zc_sent, __ATOMIC_RELAXED);

    if (so->broken)
        return;
    if (JR_UNLIKELY(zc_sent != so->zc_sent)) { /* libc put something into the error queue */
        so->zc_sent = zc_sent;
        jr_sock_touch(so, JR_SOCK_EV_STATE);
    }
    if (so->kind == JR_SOCK_STREAM)
        jr_stream_on_dirty(so, now);
    else
        jr_dgram_on_dirty(so, now);
}

static void on_dirty(struct jr_socks *ss, struct jr_seg *seg, uint32_t slot, jr_time now)
{
    struct jr_sock *so = sock_at(seg, slot);

    if (!so) {
        jr_count(ss->cfg.counters, JR_C_SHM_SLOT_BAD);
        return;
    }
    jr_sock_on_dirty(so, now);
    jr_self_settle(ss, now);
}

static void on_cell(struct jr_socks *ss, struct jr_seg *seg, uint32_t cell, jr_time now)
{
    uint8_t rep[JR_CELL_PAYLOAD] __attribute__((aligned(8)));
    struct jr_seg_cmd cmd;
    uint32_t rep_len = 0;
    int32_t result = -EBADF;

    jr_seg_cell_read(seg, cell, &cmd);
    if (cmd.op == JR_CMD_BIND || (cmd.op == JR_CMD_SETTLE && (cmd.slot >= JR_SEG_SLOTS || jr_self_is_on(ss))))
        ss->cfg.host.take_closes(ss->cfg.host.ctx, now);
    struct jr_cmd_ctx ctx = {.ss = ss, .seg = seg, .so = sock_at(seg, cmd.slot), .now = now};
    jr_count(ss->cfg.counters, JR_C_SOCK_COMMANDS);
    if (ctx.so) {
        result = jr_dispatch(&ctx, cmd.op, cmd.req, cmd.len, rep, &rep_len);
        if (rep_len == 0)
            jr_count(ss->cfg.counters, JR_C_SHM_CELL_BAD);
    } else if (cmd.op == JR_CMD_SETTLE) {
        result = 0; /* the socket that was closed */
    } else {
        jr_count(ss->cfg.counters, JR_C_SHM_SLOT_BAD);
    }
    if (ss->relayed) /* perhaps to another of our sockets, by a group */
        jr_relay_service(ss, now);
    if (jr_self_is_on(ss)) { /* who waits for the answer may look at other sockets next */
        jr_self_settle(ss, now);
        jr_socks_flush(ss);
    }
    jr_seg_cell_reply(seg, cell, result, rep, rep_len, &ss->wake);
}

unsigned jr_socks_on_marks(struct jr_socks *ss, struct jr_seg *seg, const struct jr_seg_marks *m, jr_time now)
{
    unsigned n = 0;

    seg->posted_left = m->posted;
    for (; seg->posted_left && n < COMMANDS_PER_TURN; seg->posted_left &= seg->posted_left - 1, n++)
        on_cell(ss, seg, (uint32_t)__builtin_ctzll(seg->posted_left), now);
    for (uint32_t i = 0; i < 4; i++)
        for (uint64_t w = m->dirty[i]; w; w &= w - 1, n++)
            on_dirty(ss, seg, i * 64 + (uint32_t)__builtin_ctzll(w), now);
    return n;
}

/* Free slots whose rings were not used for a whole round give their pages back. */
static void cool_down(struct jr_seg *seg)
{
    bool any = false;

    for (uint32_t i = 0; i < 4; i++) {
        for (uint64_t w = seg->cooling[i]; w; w &= w - 1) {
            const uint32_t slot = i * 64 + (uint32_t)__builtin_ctzll(w);
            if (!seg->so[slot])
                jr_region_punch(&seg->region, (size_t)(jr_seg_tx_base(seg, slot) - seg->region.base),
                                2ul * JR_RING_MAX);
        }
        seg->cooling[i] = seg->warm[i];
        seg->warm[i] = 0;
        any |= seg->cooling[i] != 0;
    }
    if (!any)
        jr_list_del(&seg->warm_link);
}

static void do_chores(struct jr_socks *ss, jr_time now)
{
    jr_ports_sweep(ss, now);
    jr_pairs_expire(ss, now);
    JR_LIST_EACH_SAFE(l, &ss->warm)
        cool_down(JR_LIST_ENTRY(l, struct jr_seg, warm_link));
    ss->next_chore = now + (jr_tune_sweep(ss) ? CHORE_MORE : CHORE_EVERY);
}

unsigned jr_socks_poll(struct jr_socks *ss, jr_time now)
{
    struct jr_list again;
    struct jr_list *l;
    unsigned n = 0;

    ss->dgram_budget = DGRAMS_PER_TURN;
    if (now >= ss->next_chore)
        do_chores(ss, now);
    if (jr_list_empty(&ss->busy))
        return 0;
    jr_list_init(&again);
    while ((l = jr_list_pop_head(&ss->busy)))
        jr_list_push_tail(&again, l);
    for (; (l = jr_list_pop_head(&again)); n++)
        jr_dgram_on_dirty(JR_LIST_ENTRY(l, struct jr_sock, busy), now);
    return n;
}

jr_time jr_socks_next_event(const struct jr_socks *ss)
{
    const bool chores = jr_ports_is_lingering(ss) || !jr_list_empty(&ss->waiting) || !jr_list_empty(&ss->warm) ||
                        !jr_list_empty(&ss->used);

    return chores ? ss->next_chore : JR_TIME_NEVER;
}

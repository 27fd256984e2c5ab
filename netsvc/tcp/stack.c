/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker's TCP: its defaults (FreeBSD's), its making and its end. */
#include <stdlib.h>

#include "base/siphash.h"
#include "tcp/fastopen.h"
#include "tcp/hostcache.h"
#include "tcp/input.h"
#include "tcp/pcb.h"
#include "tcp/state.h"
#include "tcp/syncache.h"
#include "tcp/timewait.h"

#define INITIAL_BUCKETS 4096u
#define PROTO_TCP 6

void jr_tcp_config_defaults(struct jr_tcp_config *cfg) { *cfg = (struct jr_tcp_config){JR_SYSCTL_TCP_DEFAULTS}; }

struct jr_tcp_config *jr_tcp_config(struct jr_tcp *tcp) { return &tcp->cfg; }

static void derive_hash_key(struct jr_tcp *tcp)
{
    for (uint64_t i = 0; i < JR_ARRAY_LEN(tcp->hash_key); i++) {
        const uint64_t in[2] = {i, tcp->cfg.seed};
        tcp->hash_key[i] = jr_siphash(tcp->cfg.secret, in, sizeof in) | 1;
    }
}

struct jr_tcp *jr_tcp_new(struct jr_ip *ip, const struct jr_tcp_config *cfg)
{
    struct jr_tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL)
        return NULL;
    tcp->ip = ip;
    tcp->cfg = *cfg;
    tcp->counters = jr_ip_counters(ip);
    tcp->dirty_tail = &tcp->dirty_head;
    tcp->buckets = calloc(INITIAL_BUCKETS, sizeof *tcp->buckets);
    tcp->bucket_mask = INITIAL_BUCKETS - 1;
    tcp->syncache = jr_syncache_new(tcp);
    tcp->rst_tokens = cfg->rstlimit;
    jr_list_init(&tcp->all);
    jr_list_init(&tcp->dead);
    jr_list_init(&tcp->timewait);
    jr_list_init(&tcp->tw_records);
    jr_list_init(&tcp->tw_unused);
    tcp->tw_timer.kind = JR_TIMER_TIMEWAIT;
    jr_rng_init(&tcp->rng, cfg->seed);
    jr_wheel_init(&tcp->wheel, 0);
    jr_wheel_init(&tcp->pace_wheel, 0);
    derive_hash_key(tcp);
    if (tcp->buckets == NULL || tcp->syncache == NULL || tcp->counters == NULL) {
        jr_tcp_free(tcp);
        return NULL;
    }
    const struct jr_ip_proto ops = {
        .ctx = tcp, .prefetch = jr_tcp_prefetch, .input = jr_tcp_input, .ctlinput = jr_tcp_ctlinput};
    jr_ip_set_proto(ip, PROTO_TCP, &ops);
    return tcp;
}

void jr_tcp_free(struct jr_tcp *tcp)
{
    jr_syncache_free(tcp);
    jr_timewait_free(tcp);
    struct jr_list *l;
    while ((l = jr_list_first(&tcp->all)) != NULL)
        jr_tcp_pcb_free(JR_LIST_ENTRY(l, struct jr_tcpcb, all_link));
    jr_fastopen_flush(tcp);
    jr_hostcache_purge(tcp);
    jr_pcb_free_ports(tcp);
    free(tcp->buckets);
    free(tcp);
}

void jr_tcp_config_changed(struct jr_tcp *tcp)
{
    if (!tcp->cfg.fastopen_client_enable)
        jr_fastopen_flush(tcp);
    if (tcp->cfg.hostcache_purgenow || !tcp->cfg.hostcache_enable)
        jr_hostcache_purge(tcp);
    tcp->cfg.hostcache_purgenow = 0;
}

uint32_t jr_tcp_count(const struct jr_tcp *tcp) { return tcp->count - (tcp->tw_count - tcp->tw_record_count); }
struct jr_counters *jr_tcp_counters(struct jr_tcp *tcp) { return tcp->counters; }

/* SPDX-License-Identifier: BSD-3-Clause */
/* [tcp], [ip] and [limits]: FreeBSD's sysctl names without "net.inet.tcp." and "net.inet.ip.". */
#include "main/config_value.h"

static void parse_cc(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    const char *names[16];
    unsigned n = 0;
    while (n < 16 && (names[n] = jr_tcp_cc_available(n)) != NULL)
        n++;
    int i = jr_schema_choice(ctx, v, where, names, n);
    if (i >= 0)
        memcpy(at, names[i], strlen(names[i]) + 1);
}

#define T(field) offsetof(struct jr_config, tcp.field)
static const struct jr_schema_key tcp_keys[] = {
    {"sendspace", JR_KEY_POW2, T(sendspace), 4096, 1 << 30, NULL},
    {"recvspace", JR_KEY_POW2, T(recvspace), 4096, 1 << 30, NULL},
    {"sendbuf_max", JR_KEY_POW2, T(sendbuf_max), 4096, 1 << 30, NULL},
    {"recvbuf_max", JR_KEY_POW2, T(recvbuf_max), 4096, 1 << 30, NULL},
    {"mssdflt", JR_KEY_U32, T(mssdflt), 216, 65495, NULL},
    {"minmss", JR_KEY_U32, T(minmss), 64, 65495, NULL},
    {"msl", JR_KEY_U32, T(msl), 1, 120000, NULL},
    {"keepinit", JR_KEY_U32, T(keepinit), 100, 3600000, NULL},
    {"keepidle", JR_KEY_U32, T(keepidle), 100, 2000000000, NULL},
    {"keepintvl", JR_KEY_U32, T(keepintvl), 100, 2000000000, NULL},
    {"keepcnt", JR_KEY_U32, T(keepcnt), 1, 127, NULL},
    {"delacktime", JR_KEY_U32, T(delacktime), 1, 500, NULL},
    {"delayed_ack", JR_KEY_FLAG, T(delayed_ack), 0, 1, NULL},
    {"rexmit_initial", JR_KEY_U32, T(rexmit_initial), 10, 60000, NULL},
    {"rexmit_min", JR_KEY_U32, T(rexmit_min), 1, 60000, NULL},
    {"rexmit_slop", JR_KEY_U32, T(rexmit_slop), 0, 60000, NULL},
    {"persmin", JR_KEY_U32, T(persmin), 10, 600000, NULL},
    {"persmax", JR_KEY_U32, T(persmax), 10, 600000, NULL},
    {"initcwnd_segments", JR_KEY_U32, T(initcwnd_segments), 1, 64, NULL},
    {"rfc1323", JR_KEY_FLAG, T(rfc1323), 0, 1, NULL},
    {"sack.enable", JR_KEY_FLAG, T(sack_enable), 0, 1, NULL},
    {"drop_synfin", JR_KEY_FLAG, T(drop_synfin), 0, 1, NULL},
    {"finwait2_timeout", JR_KEY_U32, T(finwait2_timeout), 1, 3600000, NULL},
    {"syncache.cachelimit", JR_KEY_U32, T(syncache_cachelimit), 1, 1 << 24, NULL},
    {"syncache.rexmtlimit", JR_KEY_U32, T(syncache_rexmtlimit), 0, 12, NULL},
    {"syncookies", JR_KEY_FLAG, T(syncookies), 0, 1, NULL},
    {"maxtcptw", JR_KEY_U32, T(maxtcptw), 0, 1 << 24, NULL},
    {"ack_war_cnt", JR_KEY_U32, T(ack_war_cnt), 0, 1000000, NULL},
    {"ack_war_timewindow", JR_KEY_U32, T(ack_war_timewindow), 0, 3600000, NULL},
    {"rstlimit", JR_KEY_U32, T(rstlimit), 0, 100000000, NULL},
    {"maxsockets", JR_KEY_U32, T(maxsockets), 0, 1 << 26, NULL},
    {"blackhole", JR_KEY_U32, T(blackhole), 0, 2, NULL},
    {"somaxconn", JR_KEY_U32, T(somaxconn), 1, 65535, NULL},
    {"abc_l_var", JR_KEY_U32, T(abc_l_var), 0, 65535, NULL},
    {"cc.algorithm", JR_KEY_FN, T(cc_algorithm), 0, 0, parse_cc},
    {"cc.abe", JR_KEY_FLAG, T(cc_abe), 0, 1, NULL},
    {"cc.newreno.beta", JR_KEY_U32, T(cc_newreno_beta), 1, 100, NULL},
    {"cc.newreno.beta_ecn", JR_KEY_U32, T(cc_newreno_beta_ecn), 1, 100, NULL},
    {"cc.hystartplusplus.enable", JR_KEY_FLAG, T(cc_hystart_enable), 0, 1, NULL},
    {"cc.hystartplusplus.minrtt_thresh", JR_KEY_U32, T(cc_hystart_minrtt_thresh), 1, 1000000, NULL},
    {"cc.hystartplusplus.maxrtt_thresh", JR_KEY_U32, T(cc_hystart_maxrtt_thresh), 1, 1000000, NULL},
    {"cc.hystartplusplus.n_rttsamples", JR_KEY_U32, T(cc_hystart_n_rttsamples), 1, 1000, NULL},
    {"cc.hystartplusplus.css_growth_div", JR_KEY_U32, T(cc_hystart_css_growth_div), 1, 100, NULL},
    {"cc.hystartplusplus.css_rounds", JR_KEY_U32, T(cc_hystart_css_rounds), 1, 100, NULL},
};
#undef T

void jr_config_tcp(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config *cfg = at;
    JR_CONFIG_BIND(ctx, v, where, tcp_keys, cfg);
    if (cfg->tcp.sendspace > cfg->tcp.sendbuf_max)
        jr_schema_error(ctx, v, where, "sendspace is larger than sendbuf_max");
    if (cfg->tcp.recvspace > cfg->tcp.recvbuf_max)
        jr_schema_error(ctx, v, where, "recvspace is larger than recvbuf_max");
    if (cfg->tcp.persmin > cfg->tcp.persmax)
        jr_schema_error(ctx, v, where, "persmin is larger than persmax");
}

#define I(field) offsetof(struct jr_config, ip.field)
static const struct jr_schema_key ip_keys[] = {
    {"ttl", JR_KEY_U8, I(ttl), 1, 255, NULL},
    {"icmplim", JR_KEY_U32, I(icmp_errors_per_s), 0, 1000000, NULL},
    {"maxfragpackets", JR_KEY_U32, I(frag_datagrams_max), 0, 65536, NULL},
    {"maxfragsperpacket", JR_KEY_U32, I(frags_per_datagram), 1, 8192, NULL},
    {"maxfragbytes", JR_KEY_U32, I(frag_bytes_max), 0, 1 << 30, NULL},
    {"portrange.first", JR_KEY_U16, offsetof(struct jr_config, tcp.port_first), 1, 65535, NULL},
    {"portrange.last", JR_KEY_U16, offsetof(struct jr_config, tcp.port_last), 1, 65535, NULL},
};
#undef I

void jr_config_ip(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config *cfg = at;
    uint16_t first = cfg->tcp.port_first, last = cfg->tcp.port_last;
    JR_CONFIG_BIND(ctx, v, where, ip_keys, cfg);
    cfg->has_portrange = first != cfg->tcp.port_first || last != cfg->tcp.port_last;
    if (cfg->tcp.port_first > cfg->tcp.port_last)
        jr_schema_error(ctx, v, where, "portrange.first is larger than portrange.last");
}

#define L(field) offsetof(struct jr_config, ctl.field)
static const struct jr_schema_key limit_keys[] = {
    {"sockets_per_user", JR_KEY_U32, L(max_sockets_per_user), 1, 1 << 26, NULL},
    {"segments_per_user", JR_KEY_U32, L(max_segments_per_user), 1, 1 << 20, NULL},
    {"clients_per_user", JR_KEY_U32, L(max_clients_per_user), 1, 1 << 20, NULL},
    {"clients", JR_KEY_U32, L(max_clients), 1, 1 << 20, NULL},
    {"pairs", JR_KEY_U32, L(max_pairs), 0, 1 << 20, NULL},
    {"ring_init", JR_KEY_POW2, L(ring_init), 65536, 1 << 24, NULL},
    {"tx_ring_max", JR_KEY_POW2, L(tx_ring_max), 65536, 1 << 24, NULL},
    {"rx_ring_max", JR_KEY_POW2, L(rx_ring_max), 65536, 1 << 24, NULL},
    {"dgram_ring", JR_KEY_POW2, L(dgram_ring), 4096, 1 << 24, NULL},
    {"embryo_bytes", JR_KEY_U64, L(embryo_bytes_max), 65536, 1ll << 40, NULL},
};
#undef L

void jr_config_limits(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    JR_CONFIG_BIND(ctx, v, where, limit_keys, at);
}

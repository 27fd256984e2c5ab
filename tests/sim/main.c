/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator as a program: KEY=VALUE arguments describe a run, CSV says how it went: a line per flow, one for the
 * link and one per counter asked for, on standard output; samples go to the file that trace= names. Numbers take k, M,
 * G; times take us, ms, s. A flow's keys take lists: a,b,c gives the first flow a, the second b, and so on, around.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "sim.h"

static void die(const char *what, const char *arg)
{
    fprintf(stderr, "jr_sim: %s: %s\n", what, arg);
    exit(2);
}

static double number(const char *v)
{
    static const struct {
        const char *unit;
        double times;
    } units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}};
    char *end;
    double x = strtod(v, &end);
    for (size_t i = 0; i < JR_ARRAY_LEN(units); i++)
        if (end != v && strcmp(end, units[i].unit) == 0)
            return x * units[i].times;
    die("not a number", v);
    return 0;
}

/* The i-th of a list, around. */
static const char *item(const char *list, uint32_t i)
{
    static char buf[64];
    uint32_t n = 1;
    for (const char *p = list; *p != 0; p++)
        n += *p == ',';
    const char *p = list;
    for (i %= n; i != 0; i--)
        p = strchr(p, ',') + 1;
    snprintf(buf, sizeof buf, "%.*s", (int)strcspn(p, ","), p);
    return buf;
}

static bool flow_key(struct sim_conf *c, const char *key, const char *list)
{
    for (uint32_t i = 0; i < c->n_flows; i++) {
        struct sim_flow *f = &c->flows[i];
        const char *v = item(list, i);
        if (strcmp(key, "cc") == 0)
            snprintf(f->cc, sizeof f->cc, "%.15s", v);
        else if (strcmp(key, "extra") == 0)
            f->delay_us = (uint32_t)number(v);
        else if (strcmp(key, "start") == 0)
            f->start_s = number(v) / 1e6;
        else if (strcmp(key, "stagger") == 0)
            f->start_s = number(v) / 1e6 * i;
        else if (strcmp(key, "stop") == 0)
            f->stop_s = number(v) / 1e6;
        else if (strcmp(key, "bytes") == 0)
            f->bytes = (uint64_t)number(v);
        else if (strcmp(key, "app") == 0)
            f->app_bps = (uint64_t)number(v);
        else if (strcmp(key, "on") == 0)
            f->on_ms = (uint32_t)(number(v) / 1000);
        else if (strcmp(key, "off") == 0)
            f->off_ms = (uint32_t)(number(v) / 1000);
        else if (strcmp(key, "pace") == 0)
            f->max_pacing_rate = (uint64_t)(number(v) / 8);
        else
            return false;
    }
    return true;
}

static bool link_key(struct sim_link *l, const char *key, const char *v)
{
    const struct {
        const char *name;
        uint32_t *at;
    } keys[] = {{"queue", &l->queue_bytes},
                {"mark", &l->mark_bytes},
                {"redmin", &l->red_min},
                {"redmax", &l->red_max},
                {"redppm", &l->red_ppm},
                {"delay", &l->delay_us},
                {"loss", &l->loss_ppm},
                {"burst", &l->burst_ppm},
                {"burstend", &l->burst_end_ppm},
                {"burstloss", &l->burst_loss_ppm},
                {"reorder", &l->reorder_ppm},
                {"reorderby", &l->reorder_us},
                {"dup", &l->dup_ppm},
                {"jitter", &l->jitter_us},
                {"scatter", &l->scatter_us}};
    if (strcmp(key, "rate") == 0) {
        l->rate_bps = (uint64_t)number(v);
        return true;
    }
    for (size_t i = 0; i < JR_ARRAY_LEN(keys); i++)
        if (strcmp(keys[i].name, key) == 0) {
            *keys[i].at = (uint32_t)number(v);
            if (keys[i].at == &l->mark_bytes)
                l->aqm = SIM_STEP;
            if (keys[i].at == &l->red_ppm)
                l->aqm = SIM_RED;
            return true;
        }
    return false;
}

/* What a sysctl of the two hosts is called, and where it is. */
static bool tcp_key(struct jr_tcp_config *t, const char *key, const char *v)
{
    const struct {
        const char *name;
        uint32_t *at;
    } keys[] = {{"hystart", &t->cc_hystart_enable},
                {"abe", &t->cc_abe},
                {"abc", &t->abc_l_var},
                {"iw", &t->initcwnd_segments},
                {"beta", &t->cc_newreno_beta},
                {"sack", &t->sack_enable},
                {"ts", &t->rfc1323},
                {"delack", &t->delayed_ack},
                {"ecn", &t->ecn_enable},
                {"newcwv", &t->newcwv},
                {"rack", &t->rack_enable},
                {"prr", &t->do_prr},
                {"frto", &t->frto},
                {"maxholes", &t->sack_maxholes},
                {"maplimit", &t->map_limit},
                {"sendbuf", &t->sendbuf_max},
                {"recvbuf", &t->recvbuf_max},
                {"slop", &t->rexmit_slop},
                {"rtomin", &t->rexmit_min},
                {"pacing", &t->pacing_enable}};
    if (strcmp(key, "default") == 0) { /* also what the receiving host answers marks with */
        snprintf(t->cc_algorithm, sizeof t->cc_algorithm, "%s", v);
        return true;
    }
    for (size_t i = 0; i < JR_ARRAY_LEN(keys); i++)
        if (strcmp(keys[i].name, key) == 0) {
            *keys[i].at = (uint32_t)number(v);
            return true;
        }
    return false;
}

static void argument(struct sim_conf *c, const char *key, const char *v)
{
    if (strcmp(key, "seed") == 0)
        c->seed = (uint64_t)number(v);
    else if (strcmp(key, "time") == 0)
        c->time_s = number(v) / 1e6;
    else if (strcmp(key, "warmup") == 0)
        c->warmup_s = number(v) / 1e6;
    else if (strcmp(key, "sample") == 0)
        c->sample_us = (uint32_t)number(v);
    else if (strcmp(key, "mtu") == 0)
        c->mtu = (uint32_t)number(v);
    else if (strcmp(key, "buf") == 0)
        c->bufsize = jr_pow2_ceil((uint32_t)number(v));
    else if (strcmp(key, "bufstart") == 0)
        c->bufstart = jr_pow2_ceil((uint32_t)number(v));
    else if (strcmp(key, "check") == 0)
        c->check = number(v) != 0;
    else if (strcmp(key, "trace") == 0)
        c->trace = fopen(v, "w");
    else if (strncmp(key, "rev.", 4) == 0 ? !link_key(&c->rev, key + 4, v)
                                          : !link_key(&c->fwd, key, v) && !flow_key(c, key, v) &&
                                                !(tcp_key(&c->tx_tcp, key, v) && tcp_key(&c->rx_tcp, key, v)))
        die("no such key", key);
    if (strcmp(key, "delay") == 0)
        c->rev.delay_us = c->fwd.delay_us;
}

static void report(const struct sim *s, const struct sim_conf *c)
{
    const struct sim_link_result *l = sim_link_fwd(s);
    printf("flow,cc,goodput_bps,rtt_ms,cwnd,segs,rexmits,done_s,error\n");
    for (uint32_t i = 0; i < c->n_flows; i++) {
        const struct sim_flow_result *r = sim_flow(s, i);
        printf("%u,%s,%.0f,%.3f,%.2f,%u,%u,%.6f,%d\n", i, c->flows[i].cc[0] != 0 ? c->flows[i].cc : "cubic",
               sim_goodput_bps(s, i), r->rtt_ms_mean, r->cwnd_mean, r->segs, r->rexmits, r->done_s,
               r->connected && r->intact ? r->error : -1);
    }
    printf("link,utilisation,jain,queue_mean,queue_max,pkts,drops,losses,marks,timeouts,events\n");
    printf("fwd,%.5f,%.4f,%.0f,%.0f,%llu,%llu,%llu,%llu,%llu,%llu\n", sim_utilisation(s), sim_jain(s, 0, c->n_flows),
           l->queue_mean, l->queue_max, (unsigned long long)l->pkts, (unsigned long long)l->drops,
           (unsigned long long)l->losses, (unsigned long long)l->marks,
           (unsigned long long)sim_count(s, JR_C_TCP_REXMTTIMEO), (unsigned long long)sim_events(s));
}

/* What the sending host counted. */
static void report_counters(const struct sim *s)
{
    printf("counter,value\n");
    for (int i = 0; i < JR_C__COUNT; i++)
        if (sim_count(s, (enum jr_counter)i) != 0)
            printf("%s,%llu\n", jr_counter_info[i].name, (unsigned long long)sim_count(s, (enum jr_counter)i));
}

int main(int argc, char **argv)
{
    struct sim_conf c;
    uint32_t flows = 1;
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "flows=", 6) == 0)
            flows = (uint32_t)number(argv[i] + 6);
    sim_conf_init(&c, flows);
    c.rev.delay_us = c.fwd.delay_us;
    for (int i = 1; i < argc; i++) {
        char key[32], *eq = strchr(argv[i], '=');
        if (eq == NULL || (size_t)(eq - argv[i]) >= sizeof key)
            die("not KEY=VALUE", argv[i]);
        snprintf(key, sizeof key, "%.*s", (int)(eq - argv[i]), argv[i]);
        if (strcmp(key, "flows") != 0)
            argument(&c, key, eq + 1);
    }
    struct sim *s = sim_new(&c);
    sim_run(s);
    report(s, &c);
    report_counters(s);
    bool clean = sim_free(s);
    if (c.trace != NULL)
        fclose(c.trace);
    sim_conf_fini(&c);
    if (!clean)
        fprintf(stderr, "jr_sim: something leaked\n");
    return clean ? 0 : 1;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Properties of congestion control in virtual time: every byte arrives, the link is used, flows share it, windows
 * follow the algorithms' own theory. Bounds leave room for another seed, not for a broken algorithm.
 */
#include <math.h>

#include "base/bits.h"
#include "base/test.h"
#include "sim.h"

#define MBIT 1000000ull

static void use(struct sim_conf *c, const char *cc)
{
    for (uint32_t i = 0; i < c->n_flows; i++)
        snprintf(c->flows[i].cc, sizeof c->flows[i].cc, "%s", cc);
}

static void end(struct sim *s, struct sim_conf *c)
{
    JR_CHECK(sim_free(s));
    sim_conf_fini(c);
}

/* rate, round trip and a queue of so many round trips. */
static void dumbbell(struct sim_conf *c, uint64_t bps, uint32_t rtt_us, double queue)
{
    c->fwd.rate_bps = bps;
    c->fwd.delay_us = c->rev.delay_us = rtt_us / 2;
    c->fwd.queue_bytes = (uint32_t)((double)bps / 8e6 * rtt_us * queue);
    c->bufsize = jr_pow2_ceil((uint32_t)((double)bps / 8e6 * rtt_us * (queue + 2)));
}

/* Each link has every fault at once; what arrives must be what was sent. */
static void carry_through(const char *cc, uint64_t seed)
{
    struct sim_conf c;
    sim_conf_init(&c, 3);
    use(&c, cc);
    c.seed = seed;
    c.check = true;
    c.time_s = 120;
    c.fwd.loss_ppm = c.rev.loss_ppm = 10000;
    c.fwd.burst_ppm = 500;
    c.fwd.burst_end_ppm = 200000;
    c.fwd.burst_loss_ppm = 500000;
    c.fwd.dup_ppm = 5000;
    c.fwd.reorder_ppm = 10000;
    c.fwd.reorder_us = 5000;
    for (uint32_t i = 0; i < c.n_flows; i++)
        c.flows[i].bytes = 1000000 + i;
    struct sim *s = sim_new(&c);
    sim_run(s);
    for (uint32_t i = 0; i < c.n_flows; i++) {
        JR_CHECK_EQ(sim_flow(s, i)->error, 0);
        JR_CHECK_EQ(sim_flow(s, i)->acked, c.flows[i].bytes);
        JR_CHECK(sim_flow(s, i)->intact);
    }
    JR_CHECK(sim_link_fwd(s)->losses > 10);
    end(s, &c);
}

JR_TEST(every_byte_arrives)
{
    const char *cc;
    for (unsigned i = 0; (cc = jr_tcp_cc_available(i)) != NULL; i++)
        for (uint64_t seed = 1; seed <= 5; seed++)
            carry_through(cc, seed);
}

static uint64_t bytes_with_seed(uint64_t seed)
{
    struct sim_conf c;
    sim_conf_init(&c, 2);
    c.seed = seed;
    c.time_s = 5;
    c.fwd.loss_ppm = 3000;
    struct sim *s = sim_new(&c);
    sim_run(s);
    uint64_t n = sim_flow(s, 0)->acked * 31 + sim_flow(s, 1)->acked * 17 + sim_events(s);
    end(s, &c);
    return n;
}

JR_TEST(the_same_seed_gives_the_same_run)
{
    JR_CHECK_EQ(bytes_with_seed(7), bytes_with_seed(7));
    JR_CHECK(bytes_with_seed(7) != bytes_with_seed(8));
}

static double utilisation(const char *cc, double queue)
{
    struct sim_conf c;
    sim_conf_init(&c, 1);
    use(&c, cc);
    dumbbell(&c, 50 * MBIT, 40000, queue);
    c.time_s = 40;
    c.warmup_s = 10;
    struct sim *s = sim_new(&c);
    sim_run(s);
    double u = sim_utilisation(s);
    end(s, &c);
    return u;
}

JR_TEST(one_flow_uses_the_link)
{
    JR_CHECK(utilisation("newreno", 1) > 0.95);
    JR_CHECK(utilisation("cubic", 1) > 0.95);
    JR_CHECK(utilisation("newreno", 0.25) > 0.75);
    JR_CHECK(utilisation("cubic", 0.25) > 0.85); /* a cut to 0.7 leaves a shallow queue less idle than one to 0.5 */
}

static double jain(const char *cc, uint32_t flows)
{
    struct sim_conf c;
    sim_conf_init(&c, flows);
    use(&c, cc);
    dumbbell(&c, 40 * MBIT, 30000, 1);
    for (uint32_t i = 0; i < flows; i++)
        c.flows[i].start_s = 0.37 * i;
    c.time_s = 90;
    c.warmup_s = 30;
    struct sim *s = sim_new(&c);
    sim_run(s);
    double j = sim_jain(s, 0, flows);
    JR_CHECK(sim_utilisation(s) > 0.9);
    end(s, &c);
    return j;
}

JR_TEST(equal_flows_share_evenly)
{
    JR_CHECK(jain("newreno", 2) > 0.9);
    JR_CHECK(jain("newreno", 8) > 0.9);
    JR_CHECK(jain("cubic", 2) > 0.85);
    JR_CHECK(jain("cubic", 8) > 0.85);
}

/* The mean window under random loss alone, in segments. */
static double window_under_loss(const char *cc, uint32_t ppm, uint32_t rtt_us)
{
    struct sim_conf c;
    sim_conf_init(&c, 1);
    use(&c, cc);
    c.fwd = (struct sim_link){.rate_bps = 1000 * MBIT, .delay_us = rtt_us / 2, .loss_ppm = ppm}; /* bursts spread */
    c.rev.delay_us = rtt_us / 2;
    c.bufsize = 4u << 20;
    c.time_s = 400;
    c.warmup_s = 20;
    struct sim *s = sim_new(&c);
    sim_run(s);
    double w = sim_goodput_bps(s, 0) / 8 / 1448 * rtt_us / 1e6;
    end(s, &c);
    return w;
}

/* RFC 5681's window for a loss rate of p: sqrt(3 / 2p), as every ACK counts bytes. */
/* rfc: 5681 3.1 */
JR_TEST(newreno_follows_its_response_function)
{
    for (uint32_t ppm = 300; ppm <= 10000; ppm *= 3) {
        double theory = sqrt(1.5 / (ppm / 1e6)), w = window_under_loss("newreno", ppm, 50000);
        if (!JR_CHECK(w > 0.8 * theory && w < 1.25 * theory))
            fprintf(stderr, "p %u ppm: %.1f segments, theory %.1f\n", ppm, w, theory);
    }
}

/* RFC 9438 figure 5 where that is larger than Reno's: W = 1.054 * (RTT / p)^0.75. */
/* rfc: 9438 5.1 */
JR_TEST(cubic_follows_its_response_function)
{
    for (uint32_t ppm = 50; ppm <= 1000; ppm *= 3) {
        const double p = ppm / 1e6, theory = 1.054 * pow(0.1 / p, 0.75), reno = sqrt(1.5 / p);
        double w = window_under_loss("cubic", ppm, 100000);
        if (!JR_CHECK(w > 0.8 * fmax(theory, reno) && w < 1.45 * fmax(theory, reno)))
            fprintf(stderr, "p %u ppm: %.1f segments, theory %.1f, Reno %.1f\n", ppm, w, theory, reno);
    }
}

/* 4.3: where Reno does better than the cubic curve, CUBIC does as well as Reno. */
/* rfc: 9438 4.3 */
JR_TEST(cubic_is_friendly_to_reno)
{
    double reno = window_under_loss("newreno", 3000, 10000), cubic = window_under_loss("cubic", 3000, 10000);
    JR_CHECK(cubic > 0.8 * reno && cubic < 1.35 * reno);
}

static uint64_t drops_of_slow_start(bool hystart)
{
    struct sim_conf c;
    sim_conf_init(&c, 1);
    dumbbell(&c, 100 * MBIT, 40000, 4);
    c.tx_tcp.cc_hystart_enable = hystart;
    c.time_s = 4;
    c.warmup_s = 1;
    struct sim *s = sim_new(&c);
    sim_run(s);
    uint64_t n = sim_link_fwd(s)->drops;
    JR_CHECK_EQ(sim_count(s, JR_C_TCP_HYSTART_CSS) != 0, hystart);
    end(s, &c);
    return n;
}

/* rfc: 9406 4.2 */
JR_TEST(hystart_overshoots_less)
{
    uint64_t off = drops_of_slow_start(false), on = drops_of_slow_start(true);
    JR_CHECK(off > 500);
    JR_CHECK(on < off / 2);
}

/* Two flows over a fast short link whose queue marks early. ecn: net.inet.tcp.ecn.enable. */
static struct sim *marking_link(struct sim_conf *c, const char *cc, uint32_t ecn)
{
    sim_conf_init(c, 2);
    use(c, cc);
    dumbbell(c, 1000 * MBIT, 200, 20);
    c->fwd.aqm = SIM_STEP;
    c->fwd.mark_bytes = 50000;
    c->tx_tcp.ecn_enable = c->rx_tcp.ecn_enable = ecn;
    snprintf(c->rx_tcp.cc_algorithm, sizeof c->rx_tcp.cc_algorithm, "%s", cc); /* dctcp echoes in its own way */
    c->flows[1].start_s = 0.05;
    c->time_s = 2;
    c->warmup_s = 0.5;
    struct sim *s = sim_new(c);
    sim_run(s);
    return s;
}

/* rfc: 3168 6.1.2; 8511 3 */
JR_TEST(marks_keep_the_queue_short)
{
    const char *cc;
    for (unsigned i = 0; (cc = jr_tcp_cc_available(i)) != NULL; i++)
        for (uint32_t ecn = 1; ecn <= 3; ecn += 2) {
            struct sim_conf c;
            struct sim *s = marking_link(&c, cc, ecn);
            bool ok = JR_CHECK(sim_link_fwd(s)->marks > 100) && JR_CHECK_EQ(sim_link_fwd(s)->drops, 0) &&
                      JR_CHECK(sim_utilisation(s) > 0.95) && JR_CHECK(sim_jain(s, 0, 2) > 0.9) &&
                      JR_CHECK(sim_link_fwd(s)->queue_mean < 60000) &&
                      JR_CHECK_EQ(sim_count(s, ecn == 1 ? JR_C_TCP_ECN_SHS : JR_C_TCP_ECN_ACE_SHS), 2);
            if (!ok)
                fprintf(stderr, "%s, ecn %u: queue %.0f, jain %.3f\n", cc, ecn, sim_link_fwd(s)->queue_mean,
                        sim_jain(s, 0, 2));
            end(s, &c);
        }
}

/* The share of marks decides how far dctcp steps back, so it stays closer to the mark than one that halves. */
/* rfc: 8257 3.3 */
JR_TEST(dctcp_follows_the_mark)
{
    struct sim_conf c;
    struct sim *s = marking_link(&c, "dctcp", 1);
    double dctcp = sim_link_fwd(s)->queue_mean;
    end(s, &c);
    s = marking_link(&c, "newreno", 1);
    double newreno = sim_link_fwd(s)->queue_mean;
    end(s, &c);
    JR_CHECK(dctcp > 45000 && dctcp < 55000);
    JR_CHECK(newreno < dctcp);
}

/* Utilisation with a mark so low that who halves the window leaves the link idle. */
static double with_a_low_mark(const char *cc)
{
    struct sim_conf c;
    sim_conf_init(&c, 2);
    use(&c, cc);
    dumbbell(&c, 1000 * MBIT, 500, 8);
    c.fwd.aqm = SIM_STEP;
    c.fwd.mark_bytes = 4000;
    c.tx_tcp.ecn_enable = c.rx_tcp.ecn_enable = 1;
    snprintf(c.rx_tcp.cc_algorithm, sizeof c.rx_tcp.cc_algorithm, "%s", cc);
    c.time_s = 2;
    c.warmup_s = 0.5;
    struct sim *s = sim_new(&c);
    sim_run(s);
    double u = sim_utilisation(s);
    end(s, &c);
    return u;
}

JR_TEST(dctcp_steps_back_by_half_the_share_of_marks)
{
    JR_CHECK(with_a_low_mark("dctcp") > 0.972);
    JR_CHECK(with_a_low_mark("newreno") < 0.85);
}

/* A path that clears the field, or a peer that doesn't speak ECN: as if there were none. */
JR_TEST(without_ecn_on_the_way_all_is_as_without)
{
    for (int bleached = 0; bleached < 2; bleached++) {
        struct sim_conf c;
        sim_conf_init(&c, 1);
        c.fwd.aqm = SIM_STEP;
        c.fwd.mark_bytes = 20000;
        c.fwd.bleach = bleached;
        c.tx_tcp.ecn_enable = 3;
        c.rx_tcp.ecn_enable = bleached ? 3 : 0;
        struct sim *s = sim_new(&c);
        sim_run(s);
        JR_CHECK_EQ(sim_link_fwd(s)->marks, 0);
        JR_CHECK_EQ(sim_count(s, JR_C_TCP_ECN_REDUCED), 0);
        JR_CHECK(sim_utilisation(s) > 0.9);
        end(s, &c);
    }
}

/* SO_MAX_PACING_RATE is kept to, and no burst longer than a release queues anywhere. */
JR_TEST(a_paced_flow_keeps_its_rate)
{
    static const uint64_t rates[] = {MBIT / 8, 20 * MBIT / 8, 80 * MBIT / 8};
    for (size_t i = 0; i < JR_ARRAY_LEN(rates); i++) {
        struct sim_conf c;
        sim_conf_init(&c, 1);
        dumbbell(&c, 100 * MBIT, 20000, 1);
        c.flows[0].max_pacing_rate = rates[i];
        struct sim *s = sim_new(&c);
        sim_run(s);
        double bps = sim_goodput_bps(s, 0) / 8;
        JR_CHECK(bps > 0.97 * (double)rates[i] && bps < 1.01 * (double)rates[i]);
        JR_CHECK(sim_link_fwd(s)->queue_max < 8 * 1500);
        JR_CHECK_EQ(sim_link_fwd(s)->drops, 0);
        end(s, &c);
    }
}

/* The window's own bursts no longer need room in the queue. */
JR_TEST(pacing_does_with_a_shallow_queue)
{
    double u[2];
    for (uint32_t paced = 0; paced < 2; paced++) {
        struct sim_conf c;
        sim_conf_init(&c, 1);
        dumbbell(&c, 200 * MBIT, 20000, 0.1);
        c.tx_tcp.pacing_enable = paced;
        c.time_s = 20;
        struct sim *s = sim_new(&c);
        sim_run(s);
        u[paced] = sim_utilisation(s);
        end(s, &c);
    }
    JR_CHECK(u[1] > 0.8);
    if (!JR_CHECK(u[1] > u[0] - 0.02))
        fprintf(stderr, "paced %.3f, not paced %.3f\n", u[1], u[0]);
}

/* The mean queue of a flow alone, in bytes; drops must not happen when they need not. */
static double standing_queue(const char *cc)
{
    struct sim_conf c;
    sim_conf_init(&c, 1);
    use(&c, cc);
    dumbbell(&c, 100 * MBIT, 40000, 1);
    c.time_s = 60;
    c.warmup_s = 20;
    struct sim *s = sim_new(&c);
    sim_run(s);
    JR_CHECK(sim_utilisation(s) > 0.75);
    double q = sim_link_fwd(s)->queue_mean;
    end(s, &c);
    return q;
}

JR_TEST(cdg_hardly_queues) { JR_CHECK(standing_queue("cdg") < 0.1 * standing_queue("newreno")); }

/* What bursts that are three seconds apart carry, in bytes. */
static double bytes_in_bursts(bool newcwv)
{
    struct sim_conf c;
    sim_conf_init(&c, 1);
    dumbbell(&c, 100 * MBIT, 100000, 1);
    c.tx_tcp.newcwv = newcwv;
    c.flows[0].on_ms = 600;
    c.flows[0].off_ms = 3000;
    c.time_s = 40;
    c.warmup_s = 4;
    struct sim *s = sim_new(&c);
    sim_run(s);
    double w = (double)sim_flow(s, 0)->measured;
    JR_CHECK_EQ(sim_flow(s, 0)->error, 0);
    end(s, &c);
    return w;
}

/* RFC 7661: a window that was won stays through a pause, so bursts carry more. */
JR_TEST(an_unused_window_is_kept_where_asked)
{
    double without = bytes_in_bursts(false), with = bytes_in_bursts(true);
    if (!JR_CHECK(with > 1.2 * without))
        fprintf(stderr, "with %.0f bytes, without %.0f\n", with, without);
}

/* 100 Mbit/s and 300 ms with a queue of a third of that, which slow start overruns by a thousand packets. */
static void long_path(struct sim_conf *c, uint32_t bufstart)
{
    sim_conf_init(c, 1);
    use(c, "cubic");
    dumbbell(c, 100 * MBIT, 300000, 1.0 / 3);
    c->bufstart = bufstart;
    c->tx_tcp.sendbuf_max = c->rx_tcp.recvbuf_max = c->rx_tcp.maxsockbuf = c->bufsize;
    c->time_s = 8;
    c->warmup_s = 0.001;
}

/* Each loss is repaired once: both sides remember what arrived however many holes there are. */
JR_TEST(a_thousand_holes_are_filled_once)
{
    struct sim_conf c;
    long_path(&c, 0);
    struct sim *s = sim_new(&c);
    sim_run(s);
    const uint64_t drops = sim_link_fwd(s)->drops;
    JR_CHECK(drops > 500);
    JR_CHECK(sim_flow(s, 0)->rexmits <= drops + drops / 20);
    JR_CHECK(sim_utilisation(s) > 0.6);
    end(s, &c);
}

/* Buffers that begin with 64 KiB cost no time against such as are large from the start. */
JR_TEST(buffers_grow_ahead_of_slow_start)
{
    double u[2];
    for (uint32_t grow = 0; grow < 2; grow++) {
        struct sim_conf c;
        long_path(&c, grow ? 65536 : 0);
        c.time_s = 3; /* slow start, and nothing else */
        struct sim *s = sim_new(&c);
        sim_run(s);
        u[grow] = sim_utilisation(s);
        end(s, &c);
    }
    if (!JR_CHECK(u[1] > 0.95 * u[0]))
        fprintf(stderr, "utilisation %.4f with growing buffers, %.4f with large ones\n", u[1], u[0]);
}

/* RFC 8985 from the first time that reordering is mistaken for loss, which is the default: 5 % of the packets 4 ms
 * late. */
JR_TEST(reordering_costs_little)
{
    struct sim_conf c;
    sim_conf_init(&c, 1);
    use(&c, "cubic");
    dumbbell(&c, 200 * MBIT, 10000, 10);
    c.fwd.reorder_ppm = c.rev.reorder_ppm = 50000;
    c.fwd.reorder_us = c.rev.reorder_us = 4000;
    c.time_s = 10;
    struct sim *s = sim_new(&c);
    sim_run(s);
    if (!JR_CHECK(sim_utilisation(s) > 0.75))
        fprintf(stderr, "utilisation %.4f\n", sim_utilisation(s));
    JR_CHECK(sim_count(s, JR_C_TCP_RACK_ON) == 1);
    end(s, &c);
}

/* A fifth of the packets lost both ways: data whose ACKs were lost must not look as if it had taken seconds. */
JR_TEST(lost_acks_are_no_delay)
{
    double rtt = 0;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct sim_conf c;
        sim_conf_init(&c, 1);
        use(&c, "cubic");
        dumbbell(&c, 200 * MBIT, 10000, 10);
        c.seed = seed;
        c.fwd.loss_ppm = c.rev.loss_ppm = 200000;
        c.time_s = 60;
        struct sim *s = sim_new(&c);
        sim_run(s);
        rtt += sim_flow(s, 0)->rtt_ms_mean / 8;
        end(s, &c);
    }
    if (!JR_CHECK(rtt < 50))
        fprintf(stderr, "mean round trip %.0f ms\n", rtt);
}

/* Many short flows over one link: all of them end. */
JR_TEST(two_thousand_connections)
{
    struct sim_conf c;
    sim_conf_init(&c, 2000);
    dumbbell(&c, 200 * MBIT, 20000, 2);
    c.bufsize = 65536;
    c.time_s = 60;
    c.sample_us = 1000000;
    for (uint32_t i = 0; i < c.n_flows; i++) {
        c.flows[i].bytes = 1 + i * 37 % 60000;
        c.flows[i].start_s = 0.002 * i;
    }
    struct sim *s = sim_new(&c);
    sim_run(s);
    uint32_t done = 0;
    for (uint32_t i = 0; i < c.n_flows; i++)
        done += sim_flow(s, i)->done_s > 0 && sim_flow(s, i)->error == 0;
    JR_CHECK_EQ(done, 2000);
    end(s, &c);
}

JR_TEST_MAIN

/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours: who is asked, when, what waits, and what is believed. */
#include <errno.h>

#include "host.h"

#define NEW IP4(10, 0, 0, 7)
#define MAC_NEW ((struct jr_ether_addr){{2, 0, 0, 0, 0, 7}})

static struct host h;

static int send_to(struct jr_addr dst, const char *text)
{
    struct jr_ip_route rt;
    const struct jr_ip_tx tx = {.src = US, .dst = dst, .proto = 253, .df = true};
    if (!JR_CHECK(jr_ip_route(h.ip, dst, &rt)))
        return -1;
    struct jr_pkt *pkt = jr_ip_pkt_new(h.ip, &rt);
    memcpy(jr_pkt_put(pkt, (uint32_t)strlen(text)), text, strlen(text));
    const int err = jr_ip_output(h.ip, pkt, &tx, &rt, h.now);
    host_flush(&h);
    return err;
}

static void arp_from(struct jr_ether_addr mac, uint16_t op, struct jr_addr spa, struct jr_addr tpa)
{
    static struct frame f;
    const struct jr_arp arp = {.op = op, .sha = mac, .tha = MAC_US, .spa = spa, .tpa = tpa};
    frame_arp(&f, op == JR_ARP_REQUEST ? jr_ether_broadcast() : MAC_US, &arp);
    host_rx(&h, f.b, f.len);
}

static void expect_request(struct jr_addr target, struct jr_ether_addr to)
{
    struct jr_ether eth;
    struct jr_arp arp;
    if (!host_sent_arp(&h, &eth, &arp))
        return;
    JR_CHECK(jr_ether_eq(eth.dst, to));
    JR_CHECK_EQ(arp.op, JR_ARP_REQUEST);
    JR_CHECK(jr_addr_eq(arp.tpa, target) && jr_addr_eq(arp.spa, US) && jr_ether_eq(arp.sha, MAC_US));
}

static void expect_text(const char *text, struct jr_ether_addr to)
{
    struct sent s;
    if (host_sent_ipv4(&h, &s)) {
        JR_CHECK(jr_ether_eq(s.eth.dst, to));
        JR_CHECK(s.len == strlen(text) && memcmp(s.payload, text, s.len) == 0);
    }
    sent_free(&s);
}

/* rfc: 5227 2.3 */
JR_TEST(announces_a_new_address)
{
    host_init(&h, NULL);
    JR_CHECK_EQ(jr_ip_addr_add(h.ip, h.ifp, IP4(10, 0, 0, 9), 24, SUBNET_BCAST, true, h.now), 0);
    host_flush(&h);
    struct jr_ether eth;
    struct jr_arp arp;
    if (host_sent_arp(&h, &eth, &arp))
        JR_CHECK(jr_addr_eq(arp.spa, IP4(10, 0, 0, 9)) && jr_addr_eq(arp.tpa, arp.spa));
    host_fini(&h);
}

/* rfc: 826 */
JR_TEST(answers_requests_for_us_only)
{
    host_init(&h, NULL);
    arp_from(MAC_NEW, JR_ARP_REQUEST, NEW, US);
    struct jr_ether eth;
    struct jr_arp arp;
    if (host_sent_arp(&h, &eth, &arp)) {
        JR_CHECK(jr_ether_eq(eth.dst, MAC_NEW));
        JR_CHECK_EQ(arp.op, JR_ARP_REPLY);
        JR_CHECK(jr_ether_eq(arp.sha, MAC_US) && jr_ether_eq(arp.tha, MAC_NEW));
        JR_CHECK(jr_addr_eq(arp.spa, US) && jr_addr_eq(arp.tpa, NEW));
    }
    arp_from(MAC_NEW, JR_ARP_REQUEST, NEW, IP4(10, 0, 0, 77));
    JR_CHECK_EQ(host_discard(&h), 0);
    /* who asked is known from then on */
    JR_CHECK_EQ(send_to(NEW, "hi"), 0);
    expect_text("hi", MAC_NEW);
    host_fini(&h);
}

/* rfc: 826; 1122 2.3.2.2 */
JR_TEST(asks_then_sends_what_waited_in_order)
{
    host_init(&h, NULL);
    JR_CHECK_EQ(send_to(NEW, "one"), 0);
    JR_CHECK_EQ(send_to(NEW, "two"), 0);
    expect_request(NEW, jr_ether_broadcast());
    JR_CHECK_EQ(host_discard(&h), 0);
    arp_from(MAC_NEW, JR_ARP_REPLY, NEW, US);
    expect_text("one", MAC_NEW);
    expect_text("two", MAC_NEW);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_RX_REPLY), 1);
    JR_CHECK_EQ(send_to(NEW, "three"), 0);
    expect_text("three", MAC_NEW);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

static unsigned ctl_calls;
static struct jr_ip_ctl ctl_last;
static void on_ctl(void *ctx, const struct jr_ip_ctl *ctl, jr_time now)
{
    (void)ctx, (void)now;
    ctl_calls++;
    ctl_last = *ctl;
}

/* rfc: 1122 2.3.2.1 */
JR_TEST(gives_up_after_five_requests_and_tells_the_transport)
{
    host_init(&h, NULL);
    const struct jr_ip_proto proto = {.ctlinput = on_ctl};
    ctl_calls = 0;
    jr_ip_set_proto(h.ip, 253, &proto);
    JR_CHECK_EQ(send_to(NEW, "12345678"), 0);
    host_wait(&h, 4500 * JR_MS);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REQUEST), 5);
    JR_CHECK_EQ(ctl_calls, 0);
    host_wait(&h, 1000 * JR_MS);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REQUEST), 5);
    JR_CHECK_EQ(host_counted(&h, JR_C_NEIGH_FAILED), 1);
    JR_CHECK_EQ(ctl_calls, 1);
    JR_CHECK(ctl_last.type == JR_ICMP_UNREACH && ctl_last.code == JR_ICMP_UNREACH_HOST);
    JR_CHECK(jr_addr_eq(ctl_last.dst, NEW) && jr_addr_eq(ctl_last.src, US));
    host_wait(&h, 20 * JR_SEC); /* and is forgotten */
    JR_CHECK_EQ(jr_ip_next_tick(h.ip) == JR_TIME_NEVER, true);
    host_fini(&h);
}

/* rfc: 1122 2.3.2.2 */
JR_TEST(queue_is_bounded_and_drops_the_oldest)
{
    host_init(&h, NULL);
    char text[16];
    for (int i = 0; i < (int)h.ifp->cfg->arp_maxhold + 3; i++) {
        snprintf(text, sizeof text, "p%d", i);
        JR_CHECK_EQ(send_to(NEW, text), 0);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_NEIGH_QUEUE_FULL), 3);
    host_discard(&h);
    arp_from(MAC_NEW, JR_ARP_REPLY, NEW, US);
    JR_CHECK_EQ(h.dev.sent.count, (int)h.ifp->cfg->arp_maxhold);
    expect_text("p3", MAC_NEW);
    host_fini(&h);
}

JR_TEST(table_is_bounded_and_forgets_the_least_used)
{
    host_init_mtu(&h, NULL, 1500, 0);
    JR_CHECK_EQ(jr_ip_addr_add(h.ip, h.ifp, IP4(10, 1, 0, 1), 16, IP4(10, 1, 255, 255), true, h.now), 0);
    host_flush(&h);
    host_discard(&h);
    for (unsigned i = 0; i < 3 * JR_NEIGH_MAX; i++) {
        h.now += 10;
        JR_CHECK_EQ(send_to(IP4(10, 1, 1 + i / 250, 1 + i % 250), "x"), 0);
    }
    JR_CHECK(host_counted(&h, JR_C_NEIGH_TABLE_FULL) > 0);
    JR_CHECK(h.ifp->neigh->n_wait <= JR_NEIGH_WAIT_TOTAL);
    JR_CHECK(h.dev.pool.pool.in_use <= JR_NEIGH_WAIT_TOTAL + h.dev.sent.count);
    host_discard(&h);
    JR_CHECK_EQ(send_to(PEER, "still"), 0); /* permanent entries stay */
    expect_text("still", MAC_PEER);
    host_fini(&h);
}

/* rfc: 1122 2.3.2.1 */
JR_TEST(stale_entry_is_probed_when_used_and_lost_when_silent)
{
    host_init(&h, NULL);
    JR_CHECK_EQ(send_to(NEW, "a"), 0);
    arp_from(MAC_NEW, JR_ARP_REPLY, NEW, US);
    host_discard(&h);
    host_wait(&h, 50 * JR_SEC); /* longer than any reachable time; nothing is sent while nobody needs it */
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(send_to(NEW, "b"), 0);
    expect_text("b", MAC_NEW);
    host_wait(&h, 5100 * JR_MS);
    expect_request(NEW, MAC_NEW); /* to the station itself */
    arp_from(MAC_NEW, JR_ARP_REPLY, NEW, US);
    host_wait(&h, 10 * JR_SEC);
    JR_CHECK_EQ(host_discard(&h), 0);

    host_wait(&h, 50 * JR_SEC);
    JR_CHECK_EQ(send_to(NEW, "c"), 0);
    expect_text("c", MAC_NEW);
    host_wait(&h, 9500 * JR_MS); /* five requests to it */
    for (int i = 0; i < 5; i++)
        expect_request(NEW, MAC_NEW);
    host_wait(&h, 1 * JR_SEC);
    expect_request(NEW, jr_ether_broadcast());
    host_wait(&h, 6 * JR_SEC);
    host_discard(&h);
    JR_CHECK_EQ(send_to(NEW, "d"), -EHOSTUNREACH);
    expect_request(NEW, jr_ether_broadcast());
    host_fini(&h);
}

JR_TEST(transport_confirmation_spares_the_probe)
{
    host_init(&h, NULL);
    jr_neigh_set(h.ifp, NEW, MAC_NEW, JR_NEIGH_STALE, h.now);
    JR_CHECK_EQ(send_to(NEW, "a"), 0);
    jr_neigh_confirm(h.ifp, NEW, h.now);
    host_discard(&h);
    host_wait(&h, 10 * JR_SEC);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

/* rfc: 826 */
JR_TEST(a_neighbour_may_move)
{
    const struct jr_ether_addr other = {{2, 0, 0, 0, 0, 0x77}};
    host_init(&h, NULL);
    jr_neigh_set(h.ifp, NEW, MAC_NEW, JR_NEIGH_REACHABLE, h.now);
    arp_from(other, JR_ARP_REQUEST, NEW, NEW); /* gratuitous */
    JR_CHECK_EQ(host_counted(&h, JR_C_NEIGH_MOVED), 1);
    JR_CHECK_EQ(send_to(NEW, "x"), 0);
    expect_text("x", other);
    arp_from(other, JR_ARP_REQUEST, PEER, PEER); /* not against what was set for good */
    JR_CHECK_EQ(send_to(PEER, "y"), 0);
    expect_text("y", MAC_PEER);
    host_fini(&h);
}

JR_TEST(unasked_news_of_strangers_is_not_kept)
{
    host_init(&h, NULL);
    arp_from(MAC_NEW, JR_ARP_REPLY, NEW, US);
    arp_from(MAC_NEW, JR_ARP_REQUEST, NEW, NEW);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_IGNORED), 2);
    JR_CHECK(jr_neigh_find(h.ifp->neigh, NEW) == NULL);
    host_fini(&h);
}

/* rfc: 5227 2.4 */
JR_TEST(conflicts_are_counted_and_defended_once_in_ten_seconds)
{
    host_init(&h, NULL);
    arp_from(MAC_NEW, JR_ARP_REQUEST, US, US);
    expect_request(US, jr_ether_broadcast());
    arp_from(MAC_NEW, JR_ARP_REPLY, US, PEER);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_CONFLICT), 2);
    host_wait(&h, 10 * JR_SEC);
    arp_from(MAC_NEW, JR_ARP_REPLY, US, PEER);
    expect_request(US, jr_ether_broadcast());
    /* a probe for our address gets a plain answer (RFC 5227 2.1.1) and leaves no entry */
    arp_from(MAC_NEW, JR_ARP_REQUEST, ANY, US);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REPLY), 1);
    JR_CHECK(jr_neigh_find(h.ifp->neigh, ANY) == NULL);
    host_fini(&h);
}

JR_TEST(impossible_senders)
{
    host_init(&h, NULL);
    arp_from(jr_ether_broadcast(), JR_ARP_REQUEST, NEW, US); /* the frame itself is refused */
    JR_CHECK_EQ(host_counted(&h, JR_C_ETHER_BAD_SRC), 1);
    arp_from(MAC_NEW, JR_ARP_REQUEST, IP4(224, 0, 0, 1), US);
    arp_from(MAC_NEW, JR_ARP_REQUEST, IP4(127, 0, 0, 1), US);
    arp_from(MAC_NEW, JR_ARP_REQUEST, SUBNET_BCAST, US);
    arp_from(MAC_NEW, JR_ARP_REQUEST, IP4(255, 255, 255, 255), US);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_BAD), 4);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

static unsigned asked;
static void on_ask(void *ctx, struct jr_netif *ifp, struct jr_addr addr, jr_time now)
{
    (void)ctx, (void)ifp, (void)now;
    asked++;
    JR_CHECK(jr_addr_eq(addr, NEW));
}

JR_TEST(shared_port_asks_the_kernel_and_stays_silent)
{
    host_init(&h, NULL);
    h.ifp->hooks.neigh_ask = on_ask;
    asked = 0;
    JR_CHECK_EQ(send_to(NEW, "q"), 0);
    JR_CHECK_EQ(asked, 1);
    host_wait(&h, 1500 * JR_MS);
    JR_CHECK_EQ(asked, 2);
    arp_from(MAC_PEER, JR_ARP_REQUEST, PEER, US);
    JR_CHECK_EQ(host_discard(&h), 0);
    jr_neigh_set(h.ifp, NEW, MAC_NEW, JR_NEIGH_REACHABLE, h.now);
    host_flush(&h);
    expect_text("q", MAC_NEW);
    /* a stale neighbour is asked about, and kept while the kernel says nothing */
    jr_neigh_set(h.ifp, NEW, MAC_NEW, JR_NEIGH_STALE, h.now);
    asked = 0;
    JR_CHECK_EQ(send_to(NEW, "s"), 0);
    expect_text("s", MAC_NEW);
    host_wait(&h, 20 * JR_SEC);
    JR_CHECK_EQ(asked, JR_NEIGH_TRIES);
    JR_CHECK_EQ(send_to(NEW, "t"), 0);
    expect_text("t", MAC_NEW);
    jr_neigh_set(h.ifp, NEW, MAC_NEW, JR_NEIGH_NONE, h.now);
    JR_CHECK_EQ(send_to(NEW, "r"), 0);
    jr_neigh_fail(h.ifp, NEW, h.now);
    JR_CHECK_EQ(host_counted(&h, JR_C_NEIGH_FAILED), 1);
    host_fini(&h);
}

JR_TEST(down_forgets_and_drops)
{
    host_init(&h, NULL);
    JR_CHECK_EQ(send_to(NEW, "q"), 0);
    jr_netif_set_up(h.ifp, false);
    JR_CHECK_EQ(host_counted(&h, JR_C_LINK_DOWN), 1);
    struct jr_ip_route rt;
    JR_CHECK(!jr_ip_route(h.ip, NEW, &rt));
    arp_from(MAC_PEER, JR_ARP_REQUEST, PEER, US);
    JR_CHECK_EQ(host_counted(&h, JR_C_LINK_DOWN), 2);
    jr_netif_set_up(h.ifp, true);
    JR_CHECK(jr_ip_route(h.ip, NEW, &rt));
    host_fini(&h);
}

JR_TEST(one_burst_per_loop_and_back_pressure)
{
    struct jr_ip_route rt;
    const struct jr_ip_tx tx = {.src = US, .dst = PEER, .proto = 253};
    host_init(&h, NULL);
    JR_CHECK(jr_ip_route(h.ip, PEER, &rt));
    h.dev.bursts = 0;
    for (int i = 0; i < 20; i++)
        JR_CHECK_EQ(jr_ip_output(h.ip, jr_ip_pkt_new(h.ip, &rt), &tx, &rt, h.now), 0);
    JR_CHECK_EQ(h.dev.bursts, 0);
    h.dev.takes = 15;
    JR_CHECK_EQ(jr_netif_flush(h.ifp, h.now), 5);
    JR_CHECK_EQ(h.dev.bursts, 1);
    JR_CHECK_EQ(jr_netif_flush(h.ifp, h.now), 0);
    h.dev.takes = 0;
    for (int i = 0; i < JR_NETIF_TXQ; i++)
        JR_CHECK_EQ(jr_ip_output(h.ip, jr_ip_pkt_new(h.ip, &rt), &tx, &rt, h.now), 0);
    JR_CHECK_EQ(jr_ip_output(h.ip, jr_ip_pkt_new(h.ip, &rt), &tx, &rt, h.now), -ENOBUFS);
    JR_CHECK_EQ(host_counted(&h, JR_C_LINK_TX_FULL), 1);
    host_fini(&h);
}

JR_TEST(what_nobody_uses_is_forgotten)
{
    struct jr_link_config cfg;
    host_init(&h, NULL);
    jr_link_config_defaults(&cfg);
    h.ifp->cfg = &cfg;
    cfg.arp_max_age = 60;
    jr_neigh_set(h.ifp, NEW, MAC_NEW, JR_NEIGH_REACHABLE, h.now);
    host_wait(&h, 59 * JR_SEC);
    JR_CHECK(jr_neigh_find(h.ifp->neigh, NEW));
    host_wait(&h, 2 * JR_SEC);
    JR_CHECK(!jr_neigh_find(h.ifp->neigh, NEW));
    JR_CHECK(jr_neigh_find(h.ifp->neigh, PEER)); /* set for good */
    host_fini(&h);
}

/* rfc: 5227 2.3 */
JR_TEST(announcements_are_repeated_as_often_as_asked)
{
    struct jr_link_config cfg;
    host_init(&h, NULL);
    jr_link_config_defaults(&cfg);
    h.ifp->cfg = &cfg;
    cfg.garp_rexmit_count = 2;
    host_mark(&h);
    JR_CHECK_EQ(jr_ip_addr_add(h.ip, h.ifp, IP4(10, 0, 0, 9), 24, SUBNET_BCAST, true, h.now), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REQUEST), 1);
    host_wait(&h, 2100 * JR_MS);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REQUEST), 2);
    host_wait(&h, 100 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REQUEST), 3);
    host_discard(&h);
    host_fini(&h);
}

JR_TEST(who_did_not_answer_is_refused_for_a_while)
{
    struct jr_link_config cfg;
    host_init(&h, NULL);
    jr_link_config_defaults(&cfg);
    h.ifp->cfg = &cfg;
    cfg.arp_wait = 20;
    JR_CHECK_EQ(send_to(NEW, "q"), 0);
    host_wait(&h, 6 * JR_SEC);
    JR_CHECK_EQ(host_discard(&h), 5);
    JR_CHECK_EQ(send_to(NEW, "r"), -EHOSTUNREACH); /* and asks */
    JR_CHECK_EQ(send_to(NEW, "r"), -EHOSTUNREACH);
    JR_CHECK_EQ(host_discard(&h), 1);
    JR_CHECK_EQ(host_counted(&h, JR_C_NEIGH_FAILED), 3);
    arp_from(MAC_NEW, JR_ARP_REPLY, NEW, US);
    JR_CHECK_EQ(send_to(NEW, "s"), 0);
    expect_text("s", MAC_NEW);
    /* forgotten after the last request */
    jr_neigh_set(h.ifp, NEW, MAC_NEW, JR_NEIGH_NONE, h.now);
    JR_CHECK_EQ(send_to(NEW, "q"), 0);
    host_wait(&h, 24 * JR_SEC);
    JR_CHECK(jr_neigh_find(h.ifp->neigh, NEW));
    host_wait(&h, 2 * JR_SEC);
    JR_CHECK(!jr_neigh_find(h.ifp->neigh, NEW));
    /* switched off: as if it had never been asked */
    cfg.arp_wait = 0;
    JR_CHECK_EQ(send_to(NEW, "q"), 0);
    host_wait(&h, 6 * JR_SEC);
    JR_CHECK_EQ(send_to(NEW, "q"), 0);
    host_discard(&h);
    host_fini(&h);
}

#define WANTED IP4(10, 0, 0, 9)

static void probe_for_wanted(struct jr_link_config *cfg)
{
    host_init(&h, NULL);
    jr_link_config_defaults(cfg);
    h.ifp->cfg = cfg;
    cfg->arp_dad_count = 3;
    host_mark(&h);
    JR_CHECK_EQ(jr_ip_addr_add(h.ip, h.ifp, WANTED, 24, SUBNET_BCAST, true, h.now), 0);
    JR_CHECK(!jr_ip_is_local(h.ip, WANTED));
    host_wait(&h, 1100 * JR_MS);
    JR_CHECK(host_counted(&h, JR_C_ARP_TX_REQUEST) >= 1);
}

JR_TEST(an_address_nobody_has_is_ours_after_three_probes)
{
    struct jr_link_config cfg;
    probe_for_wanted(&cfg);
    arp_from(MAC_NEW, JR_ARP_REQUEST, NEW, WANTED); /* somebody looks for it: no answer yet */
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REPLY), 0);
    host_wait(&h, 7 * JR_SEC);
    JR_CHECK(jr_ip_is_local(h.ip, WANTED));
    host_wait(&h, 10 * JR_SEC);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REQUEST), 3 + 2); /* probes, announcements */
    host_discard(&h);
    arp_from(MAC_NEW, JR_ARP_REQUEST, NEW, WANTED);
    JR_CHECK_EQ(host_counted(&h, JR_C_ARP_TX_REPLY), 1);
    host_discard(&h);
    host_fini(&h);
}

JR_TEST(an_address_that_somebody_has_or_wants_is_given_up)
{
    static const struct {
        int op;
        bool probe;
    } kinds[] = {{JR_ARP_REPLY, false}, {JR_ARP_REQUEST, false}, {JR_ARP_REQUEST, true}};
    struct jr_link_config cfg;

    for (unsigned i = 0; i < JR_ARRAY_LEN(kinds); i++) {
        probe_for_wanted(&cfg);
        arp_from(MAC_NEW, kinds[i].op, kinds[i].probe ? ANY : WANTED, kinds[i].probe ? WANTED : US);
        JR_CHECK_EQ(host_counted(&h, JR_C_ARP_DUPLICATE), 1);
        host_wait(&h, 20 * JR_SEC);
        JR_CHECK(!jr_ip_is_local(h.ip, WANTED));
        JR_CHECK_EQ(jr_ip_addr_del(h.ip, h.ifp, WANTED), -EADDRNOTAVAIL);
        host_discard(&h);
        host_fini(&h);
    }
    probe_for_wanted(&cfg); /* or taken back before it is ours */
    JR_CHECK_EQ(jr_ip_addr_del(h.ip, h.ifp, WANTED), 0);
    host_wait(&h, 20 * JR_SEC);
    JR_CHECK(!jr_ip_is_local(h.ip, WANTED));
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 802.1Q 9 */
JR_TEST(a_tagged_port)
{
    struct frame f;
    host_init(&h, NULL);
    jr_netif_set_vlan(h.ifp, 100);
    host_mark(&h);
    const struct jr_arp ask = {.op = JR_ARP_REQUEST, .sha = MAC_PEER, .spa = PEER, .tpa = US};
    frame_arp(&f, jr_ether_broadcast(), &ask);
    host_rx(&h, f.b, f.len); /* untagged: another network */
    JR_CHECK_EQ(host_counted(&h, JR_C_ETHER_VLAN), 1);
    memmove(f.b + 16, f.b + 12, f.len - 12);
    jr_store_be16(f.b + 12, JR_ETHERTYPE_VLAN);
    jr_store_be16(f.b + 14, 0xa000 | 100); /* with a priority */
    host_rx(&h, f.b, f.len + 4);
    struct jr_pkt *pkt = host_sent(&h);
    JR_REQUIRE(pkt);
    const uint8_t *p = jr_pkt_data(pkt);
    JR_CHECK_EQ(pkt->len, 14 + 4 + JR_ARP_LEN);
    JR_CHECK_MEM(p, MAC_PEER.b, 6);
    JR_CHECK_MEM(p + 6, MAC_US.b, 6);
    JR_CHECK_EQ(jr_load_be16(p + 12), JR_ETHERTYPE_VLAN);
    JR_CHECK_EQ(jr_load_be16(p + 14), 100);
    JR_CHECK_EQ(jr_load_be16(p + 16), JR_ETHERTYPE_ARP);
    jr_pkt_free(pkt);
    host_fini(&h);
}

JR_TEST_MAIN

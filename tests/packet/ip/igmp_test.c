/* SPDX-License-Identifier: BSD-3-Clause */
/* Multicast: who gets what, what goes out, and what the routers are told (RFC 3376, 2236, 1112). */
#include <errno.h>
#include <netinet/in.h>

#include "host.h"
#include "wire/igmp.h"

#define GROUP IP4(239, 1, 2, 3)
#define OTHER IP4(239, 1, 2, 4)
#define ALL_SYSTEMS IP4(224, 0, 0, 1)

static struct host h;
static struct frame f;

struct app {
    struct jr_udpcb *up;
    unsigned calls;
};
static struct app app[4];

static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    (void)up, (void)from, (void)rx, (void)data, (void)len, (void)now;
    ((struct app *)so)->calls++;
}
static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now) { (void)so, (void)up, (void)err, (void)now; }
static const struct jr_udp_upcalls upcalls = {on_input, on_error, NULL};

static void init(void)
{
    const struct jr_endpoint any = {ANY, 5353};
    host_init(&h, NULL);
    memset(app, 0, sizeof app);
    for (unsigned i = 0; i < JR_ARRAY_LEN(app); i++) {
        app[i].up = jr_udp_open(h.udp, &upcalls, &app[i]);
        JR_CHECK_EQ(jr_udp_bind(app[i].up, &any, JR_UDP_BIND_REUSEADDR), 0);
    }
}

static int group_op(unsigned i, int name, struct jr_addr group)
{
    const struct ip_mreq m = {{jr_addr_to_v4(group)}, {INADDR_ANY}};
    return jr_udp_setopt(app[i].up, IPPROTO_IP, name, &m, sizeof m, h.now);
}

static int source_op(unsigned i, int name, struct jr_addr group, struct jr_addr src)
{
    const struct ip_mreq_source m = {{jr_addr_to_v4(group)}, {INADDR_ANY}, {jr_addr_to_v4(src)}};
    return jr_udp_setopt(app[i].up, IPPROTO_IP, name, &m, sizeof m, h.now);
}

static void flag(unsigned i, int name, int v)
{
    JR_CHECK_EQ(jr_udp_setopt(app[i].up, IPPROTO_IP, name, &v, sizeof v, h.now), 0);
}

static unsigned who(void)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < JR_ARRAY_LEN(app); i++) {
        mask |= app[i].calls ? 1u << i : 0;
        app[i].calls = 0;
    }
    return mask;
}

static void rx(struct jr_addr src, struct jr_addr group)
{
    frame_udp(&f, src, 5353, group, 5353, "x", 1);
    host_rx(&h, f.b, f.len);
}

/* The report that was sent: a record of its own per call. */
struct record {
    uint8_t type;
    unsigned n_src;
    struct jr_addr group, src0;
};

static bool sent_report(struct record *r)
{
    struct sent s;
    memset(r, 0, sizeof *r);
    host_flush(&h);
    if (h.dev.sent.count == 0 || !host_sent_ipv4(&h, &s))
        return false;
    JR_CHECK_EQ(s.ip.proto, JR_IPPROTO_IGMP);
    JR_CHECK_EQ(s.ip.ttl, 1);
    JR_CHECK_EQ(s.ip.hlen, 24); /* router alert */
    JR_CHECK_EQ(jr_load_be16(s.payload - 4), 0x9404);
    JR_CHECK_EQ(jr_cksum_fold(jr_cksum_partial(s.payload, s.len, 0)), 0);
    r->type = s.payload[0];
    if (r->type == JR_IGMP_V3_REPORT) {
        JR_CHECK(jr_addr_eq(s.ip.dst, IP4(224, 0, 0, 22)));
        JR_CHECK_EQ(s.eth.dst.b[5], 22);
        JR_CHECK_EQ(jr_load_be16(s.payload + 6), 1);
        r->type = s.payload[8];
        r->n_src = jr_load_be16(s.payload + 10);
        r->group = jr_addr_v4(jr_load_raw32(s.payload + 12));
        JR_CHECK_EQ(s.len, 16 + 4 * r->n_src);
        if (r->n_src)
            r->src0 = jr_addr_v4(jr_load_raw32(s.payload + 16));
    } else {
        r->group = jr_addr_v4(jr_load_raw32(s.payload + 4));
        JR_CHECK(jr_addr_eq(s.ip.dst, r->type == JR_IGMP_V2_LEAVE ? IP4(224, 0, 0, 2) : r->group));
    }
    sent_free(&s);
    return true;
}

static void check_report(uint8_t type, struct jr_addr group, unsigned n_src)
{
    struct record r;
    JR_CHECK(sent_report(&r));
    JR_CHECK_EQ(r.type, type);
    JR_CHECK(jr_addr_eq(r.group, group));
    JR_CHECK_EQ(r.n_src, n_src);
}

static void query(uint8_t version, uint8_t code, struct jr_addr group, const struct jr_addr *src, uint16_t n)
{
    const struct jr_ipv4 ip = {
        .src = ROUTER, .dst = jr_addr_is_any(group) ? ALL_SYSTEMS : group, .proto = JR_IPPROTO_IGMP, .ttl = 1};
    uint8_t p[256] = {0};
    uint32_t len = version == 3 ? 12 + 4u * n : 8;

    jr_igmp_build(p, JR_IGMP_QUERY, group);
    p[1] = code;
    if (version == 3) {
        p[8] = 2;
        jr_store_be16(p + 10, n);
        for (unsigned i = 0; i < n; i++)
            jr_store_raw32(p + 12 + 4 * i, jr_addr_to_v4(src[i]));
    }
    jr_store_raw16(p + 2, 0);
    jr_store_raw16(p + 2, jr_cksum_fold(jr_cksum_partial(p, len, 0)));
    frame_ipv4(&f, &ip, p, len);
    host_rx(&h, f.b, f.len);
}

/* rfc: 1112 7.2 */
JR_TEST(nobody_joined_nobody_gets_it)
{
    init();
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_MULTICAST), 1);
    host_fini(&h);
}

/* rfc: 3376 3.2 */
JR_TEST(members_get_it_and_by_default_their_neighbours_too)
{
    init();
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), -EADDRINUSE);
    JR_CHECK_EQ(group_op(1, IP_ADD_MEMBERSHIP, GROUP), 0);
    JR_CHECK_EQ(group_op(1, IP_ADD_MEMBERSHIP, PEER), -EINVAL);
    flag(2, IP_MULTICAST_ALL, 0);
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 0xb); /* 3 joined nothing, but IP_MULTICAST_ALL is on */
    rx(PEER, OTHER);
    JR_CHECK_EQ(who(), 0);
    JR_CHECK_EQ(group_op(0, IP_DROP_MEMBERSHIP, GROUP), 0);
    JR_CHECK_EQ(group_op(0, IP_DROP_MEMBERSHIP, GROUP), -EADDRNOTAVAIL);
    flag(0, IP_MULTICAST_ALL, 0);
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 0xa);
    jr_udp_close(app[1].up); /* the last member goes */
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 0);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 3376 3.1 */
JR_TEST(source_filters)
{
    init();
    for (unsigned i = 0; i < 4; i++)
        flag(i, IP_MULTICAST_ALL, 0);
    JR_CHECK_EQ(source_op(0, IP_ADD_SOURCE_MEMBERSHIP, GROUP, PEER), 0);
    JR_CHECK_EQ(source_op(0, IP_ADD_SOURCE_MEMBERSHIP, GROUP, PEER), -EADDRNOTAVAIL);
    JR_CHECK_EQ(source_op(0, IP_BLOCK_SOURCE, GROUP, PEER), -EINVAL);
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 1);
    rx(FAR, GROUP); /* the port does not even take it */
    JR_CHECK_EQ(who(), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_MULTICAST), 1);
    JR_CHECK_EQ(group_op(1, IP_ADD_MEMBERSHIP, GROUP), 0);
    JR_CHECK_EQ(source_op(1, IP_BLOCK_SOURCE, GROUP, PEER), 0);
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 1);
    rx(FAR, GROUP);
    JR_CHECK_EQ(who(), 2);
    JR_CHECK_EQ(source_op(1, IP_UNBLOCK_SOURCE, GROUP, PEER), 0);
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 3);
    JR_CHECK_EQ(source_op(0, IP_DROP_SOURCE_MEMBERSHIP, GROUP, PEER), 0);
    rx(PEER, GROUP);
    JR_CHECK_EQ(who(), 2);
    host_discard(&h);
    host_fini(&h);
}

JR_TEST(a_whole_filter_at_once)
{
    const struct {
        struct ip_msfilter f;
        in_addr_t more;
    } m = {{{jr_addr_to_v4(GROUP)}, {0}, MCAST_INCLUDE, 2, {{jr_addr_to_v4(PEER)}}}, jr_addr_to_v4(FAR)};

    init();
    JR_CHECK_EQ(jr_udp_setopt(app[0].up, IPPROTO_IP, IP_MSFILTER, &m, IP_MSFILTER_SIZE(2), h.now), -EINVAL);
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_TO_EX, GROUP, 0);
    JR_CHECK_EQ(jr_udp_setopt(app[0].up, IPPROTO_IP, IP_MSFILTER, &m, IP_MSFILTER_SIZE(2) - 1, h.now), -EINVAL);
    JR_CHECK_EQ(jr_udp_setopt(app[0].up, IPPROTO_IP, IP_MSFILTER, &m, IP_MSFILTER_SIZE(2), h.now), 0);
    check_report(JR_IGMP_TO_IN, GROUP, 2);
    rx(FAR, GROUP);
    JR_CHECK(who() & 1);
    rx(IP4(192, 0, 2, 9), GROUP);
    JR_CHECK_EQ(who(), 0);
    host_discard(&h);
    host_fini(&h);
}

/* rfc: 3376 5.1 */
JR_TEST(joins_and_leaves_are_reported_twice)
{
    struct record r;
    init();
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_TO_EX, GROUP, 0);
    JR_CHECK(!sent_report(&r));
    JR_CHECK_EQ(group_op(1, IP_ADD_MEMBERSHIP, GROUP), 0); /* nothing new for the routers */
    JR_CHECK(!sent_report(&r));
    host_wait(&h, 1100 * JR_MS);
    check_report(JR_IGMP_TO_EX, GROUP, 0);
    host_wait(&h, 10 * JR_SEC);
    JR_CHECK(!sent_report(&r));
    JR_CHECK_EQ(group_op(0, IP_DROP_MEMBERSHIP, GROUP), 0);
    JR_CHECK(!sent_report(&r));
    JR_CHECK_EQ(group_op(1, IP_DROP_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_TO_IN, GROUP, 0);
    host_wait(&h, 1100 * JR_MS);
    check_report(JR_IGMP_TO_IN, GROUP, 0);
    host_wait(&h, 10 * JR_SEC);
    JR_CHECK(!sent_report(&r));
    JR_CHECK_EQ(jr_ip_next_tick(h.ip), JR_TIME_NEVER);
    host_fini(&h);
}

/* rfc: 3376 5.1 */
JR_TEST(changes_of_sources_are_reported_as_such)
{
    init();
    JR_CHECK_EQ(source_op(0, IP_ADD_SOURCE_MEMBERSHIP, GROUP, PEER), 0);
    check_report(JR_IGMP_ALLOW, GROUP, 1);
    host_wait(&h, 2 * JR_SEC);
    check_report(JR_IGMP_ALLOW, GROUP, 1);
    JR_CHECK_EQ(source_op(0, IP_ADD_SOURCE_MEMBERSHIP, GROUP, FAR), 0);
    check_report(JR_IGMP_ALLOW, GROUP, 1);
    host_wait(&h, 2 * JR_SEC);
    host_discard(&h);
    JR_CHECK_EQ(source_op(0, IP_DROP_SOURCE_MEMBERSHIP, GROUP, FAR), 0);
    check_report(JR_IGMP_BLOCK, GROUP, 1);
    /* while that is still to be repeated: the whole truth, since nobody knows what arrived */
    JR_CHECK_EQ(group_op(1, IP_ADD_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_TO_EX, GROUP, 0);
    host_fini(&h);
}

/* rfc: 3376 5.2 */
JR_TEST(queries_are_answered_in_time)
{
    const struct jr_addr asked[2] = {PEER, FAR};
    struct record r;
    init();
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    JR_CHECK_EQ(source_op(1, IP_ADD_SOURCE_MEMBERSHIP, OTHER, PEER), 0);
    host_wait(&h, 2 * JR_SEC);
    host_discard(&h);
    query(3, 100, ANY, NULL, 0);
    JR_CHECK(!sent_report(&r));
    host_wait(&h, 10100 * JR_MS);
    JR_CHECK_EQ(h.dev.sent.count, 1); /* both groups in one */
    host_discard(&h);
    query(3, 10, GROUP, NULL, 0);
    host_wait(&h, 1100 * JR_MS);
    check_report(JR_IGMP_IS_EX, GROUP, 0);
    query(3, 10, OTHER, asked, 2);
    host_wait(&h, 1100 * JR_MS);
    JR_CHECK(sent_report(&r));
    JR_CHECK(r.type == JR_IGMP_IS_IN && r.n_src == 1 && jr_addr_eq(r.src0, PEER));
    query(3, 10, OTHER, &asked[1], 1); /* not wanted: silence */
    host_wait(&h, 1100 * JR_MS);
    JR_CHECK(!sent_report(&r));
    query(3, 10, IP4(239, 9, 9, 9), NULL, 0);
    host_wait(&h, 1100 * JR_MS);
    JR_CHECK(!sent_report(&r));
    host_fini(&h);
}

/* rfc: 3376 7.2.1 */
JR_TEST(older_routers_hear_their_own_version)
{
    struct record r;
    init();
    query(2, 10, ANY, NULL, 0);
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_V2_REPORT, GROUP, 0);
    host_wait(&h, 2 * JR_SEC);
    check_report(JR_IGMP_V2_REPORT, GROUP, 0);
    query(2, 10, ANY, NULL, 0);
    host_wait(&h, 1100 * JR_MS);
    check_report(JR_IGMP_V2_REPORT, GROUP, 0);
    /* another host's report silences ours, and then its leaving is not ours to tell */
    query(2, 50, ANY, NULL, 0);
    const struct jr_ipv4 ip = {.src = PEER, .dst = GROUP, .proto = JR_IPPROTO_IGMP, .ttl = 1};
    uint8_t p[8];
    jr_igmp_build(p, JR_IGMP_V2_REPORT, GROUP);
    frame_ipv4(&f, &ip, p, sizeof p);
    host_rx(&h, f.b, f.len);
    host_wait(&h, 6 * JR_SEC);
    JR_CHECK(!sent_report(&r));
    JR_CHECK_EQ(group_op(0, IP_DROP_MEMBERSHIP, GROUP), 0);
    JR_CHECK(!sent_report(&r));
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_V2_REPORT, GROUP, 0);
    JR_CHECK_EQ(group_op(0, IP_DROP_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_V2_LEAVE, GROUP, 0);
    query(1, 0, ANY, NULL, 0);
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_V1_REPORT, GROUP, 0);
    host_wait(&h, 300 * JR_SEC); /* nobody old was heard for long enough */
    host_discard(&h);
    JR_CHECK_EQ(group_op(0, IP_DROP_MEMBERSHIP, GROUP), 0);
    check_report(JR_IGMP_TO_IN, GROUP, 0);
    host_fini(&h);
}

/* rfc: 3376 4; 3376 9.1 */
JR_TEST(what_no_router_sends_is_ignored)
{
    init();
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), 0);
    host_wait(&h, 2 * JR_SEC);
    host_discard(&h);
    query(3, 10, ANY, NULL, 0);
    f.b[22] = 2; /* TTL: from beyond the link */
    frame_fix_cksum(&f);
    host_wait(&h, 2 * JR_SEC);
    host_discard(&h);
    host_rx(&h, f.b, f.len);
    host_wait(&h, 2 * JR_SEC);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_IGMP_IGNORED), 1);
    f.b[22] = 1;
    f.b[34 + 4] ^= 1; /* a wrong checksum */
    frame_fix_cksum(&f);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_IGMP_BAD_CKSUM), 1);
    host_fini(&h);
}

JR_TEST(a_shared_port_leaves_groups_to_the_kernel)
{
    init();
    jr_ip_set_shared(h.ip, true);
    JR_CHECK_EQ(group_op(0, IP_ADD_MEMBERSHIP, GROUP), -ENOPROTOOPT);
    host_fini(&h);
}

/* rfc: 1112 6.1 */
JR_TEST(sending_to_a_group)
{
    const struct jr_endpoint to = {GROUP, 5353};
    struct sent s;
    init();
    JR_CHECK_EQ(jr_udp_send(app[0].up, &to, "x", 1, NULL, 0, 0, 0, h.now), 0);
    host_flush(&h);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.ip.ttl, 1);
    JR_CHECK_EQ(s.eth.dst.b[0], 1);
    JR_CHECK_EQ(s.eth.dst.b[5], 3);
    sent_free(&s);
    JR_CHECK_EQ(who(), 0); /* nobody here wants it */
    JR_CHECK_EQ(group_op(1, IP_ADD_MEMBERSHIP, GROUP), 0);
    host_flush(&h);
    host_discard(&h);
    flag(0, IP_MULTICAST_TTL, 7);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &to, "x", 1, NULL, 0, 0, 0, h.now), 0);
    JR_CHECK(who() & 2);
    host_flush(&h);
    JR_REQUIRE(host_sent_ipv4(&h, &s));
    JR_CHECK_EQ(s.ip.ttl, 7);
    sent_free(&s);
    flag(0, IP_MULTICAST_LOOP, 0);
    flag(0, IP_MULTICAST_TTL, 0);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &to, "x", 1, NULL, 0, 0, 0, h.now), 0);
    host_flush(&h);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(who(), 0);
    host_fini(&h);
}

JR_TEST_MAIN

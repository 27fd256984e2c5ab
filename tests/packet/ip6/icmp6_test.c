/* SPDX-License-Identifier: BSD-3-Clause */
/* Echo, errors we send. */
#include "host6.h"

static struct host h;
static struct frame f;
static uint8_t big[66000];

static void ping(struct jr_addr src, struct jr_addr dst, uint32_t len)
{
    frame_icmp6(&f, src, dst, 64, &(struct jr_icmp6){JR_ICMP6_ECHO, 0, 0x00070001}, big, len);
    host_rx(&h, f.b, f.len);
}

static void init(struct jr_ip_config *cfg)
{
    host6_init(&h, cfg);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + i / 256);
}

/* rfc: 4443 4.2 */
JR_TEST(answers_echo_with_the_same_data)
{
    struct sent6 s;
    struct jr_icmp6 icmp;
    init(NULL);
    for (uint32_t len = 0; len <= 1452; len += 121) {
        ping(FAR6, US6, len);
        if (host_sent_icmp6(&h, &s, &icmp)) {
            JR_CHECK(jr_ether_eq(s.eth.dst, MAC_ROUTER));
            JR_CHECK(jr_addr_eq(s.ip.src, US6) && jr_addr_eq(s.ip.dst, FAR6));
            JR_CHECK(icmp.type == JR_ICMP6_ECHO_REPLY && icmp.rest == 0x00070001 && s.len == len + 8);
            JR_CHECK_MEM(s.payload + 8, big, len);
        }
        sent6_free(&s);
    }
    host_fini(&h);
}

/* rfc: 4443 4.2; 4443 2.2 */
JR_TEST(answers_link_local_and_group_echo)
{
    struct sent6 s;
    struct jr_icmp6 icmp;
    init(NULL);
    ping(ip6("fe80::2"), ip6("fe80::ff:fe00:1"), 8);
    if (host_sent_icmp6(&h, &s, &icmp)) {
        JR_CHECK(jr_addr_eq(s.ip.src, ip6("fe80::ff:fe00:1")) && jr_addr_eq(s.ip.dst, ip6("fe80::2")));
        JR_CHECK_EQ(icmp.type, JR_ICMP6_ECHO_REPLY);
    }
    sent6_free(&s);
    ping(PEER6, ALL_NODES, 8);
    if (host_sent_icmp6(&h, &s, &icmp))
        JR_CHECK(jr_addr_eq(s.ip.src, US6) && jr_addr_eq(s.ip.dst, PEER6) && icmp.type == JR_ICMP6_ECHO_REPLY);
    sent6_free(&s);
    host_fini(&h);
}

/* rfc: 4443 3.1 */
JR_TEST(port_unreachable_quotes_the_packet)
{
    struct sent6 s;
    struct jr_icmp6 icmp;
    init(NULL);
    frame_udp6(&f, PEER6, 5, US6, 6, big, 1400);
    host_rx(&h, f.b, f.len);
    if (host_sent_icmp6(&h, &s, &icmp)) {
        JR_CHECK(icmp.type == JR_ICMP6_UNREACH && icmp.code == JR_ICMP6_UNREACH_PORT && icmp.rest == 0);
        JR_CHECK_EQ(s.pkt->len, 14 + 1280); /* as much as fits the least MTU */
        JR_CHECK_MEM(s.payload + 8, f.b + 14, s.len - 8);
    }
    sent6_free(&s);
    host_fini(&h);
}

/* rfc: 4443 2.4 */
JR_TEST(no_errors_about_what_deserves_none)
{
    uint8_t quote[48] = {0x60};
    struct jr_ipv6 ip = {.src = PEER6, .dst = ALL_NODES, .proto = 99};
    init(NULL);
    frame_ipv6(&f, &ip, big, 8); /* to a group */
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_ERR_FORBIDDEN), 1);
    /* an error behind an unknown option that asks for one */
    uint8_t p[56] = {JR_IPPROTO_ICMPV6, 0, 0x9e, 4, [8] = JR_ICMP6_UNREACH};
    ip = (struct jr_ipv6){.src = PEER6, .dst = US6, .proto = JR_IPPROTO_DSTOPTS};
    frame_ipv6(&f, &ip, p, 8);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_discard(&h), 1); /* what follows the option is not known */
    (void)quote;
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

/* rfc: 4443 2.4 */
JR_TEST(errors_are_rate_limited)
{
    unsigned n;
    init(NULL);
    for (unsigned i = 0; i < 500; i++) {
        frame_udp6(&f, PEER6, 5, US6, 6, big, 1);
        host_rx(&h, f.b, f.len);
    }
    n = host_discard(&h);
    JR_CHECK(n >= 100 - 16 && n <= 100 + 16);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_ERR_LIMITED), 500 - n);
    host_fini(&h);
}

JR_TEST(a_shared_port_leaves_answers_to_the_kernel)
{
    struct jr_ip_config cfg;
    jr_ip_config_defaults(&cfg);
    cfg.shared = true;
    init(&cfg);
    ping(PEER6, US6, 8);
    frame_udp6(&f, PEER6, 5, US6, 6, big, 1);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_discard(&h), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_ERR_SHARED), 1);
    host_fini(&h);
}

/* rfc: 4443 5.2 */
JR_TEST(errors_that_are_not_believed)
{
    uint8_t quote[48];
    const struct jr_ipv6 theirs = {.src = FAR6, .dst = PEER6, .proto = JR_IPPROTO_UDP, .payload_len = 8};
    const struct jr_ipv6 ours = {.src = US6, .dst = PEER6, .proto = JR_IPPROTO_UDP, .payload_len = 8};
    init(NULL);
    jr_ipv6_build(quote, &theirs);
    memset(quote + 40, 0, 8);
    frame_icmp6(&f, FAR6, US6, 60, &(struct jr_icmp6){JR_ICMP6_UNREACH, 4, 0}, quote, 48);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_NOT_OURS), 1);
    jr_ipv6_build(quote, &ours);
    for (uint32_t n = 0; n < 48; n++) {
        frame_icmp6(&f, FAR6, US6, 60, &(struct jr_icmp6){JR_ICMP6_UNREACH, 4, 0}, quote, n);
        host_rx(&h, f.b, f.len);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_BAD_QUOTE), 40);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_SHORT), 8);
    frame_icmp6(&f, FAR6, US6, 60, &(struct jr_icmp6){JR_ICMP6_UNREACH, 4, 0}, quote, 48);
    f.b[60] ^= 1;
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_ICMP6_BAD_CKSUM), 1);
    host_fini(&h);
}

JR_TEST_MAIN

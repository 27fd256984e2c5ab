/* SPDX-License-Identifier: BSD-3-Clause */
#include "sysctl/sysctl.h"

#include <errno.h>
#include <string.h>

#include "base/test.h"
#include "ip/ip.h"
#include "link/netif.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

static struct jr_tcp_config tcp;
static struct jr_ip_config ip;
static struct jr_udp_config udp;
static struct jr_link_config links;
static const struct jr_sysctl_tree tree = {
    .at = {
        [JR_SYSCTL_OF_TCP] = &tcp, [JR_SYSCTL_OF_IP] = &ip, [JR_SYSCTL_OF_UDP] = &udp, [JR_SYSCTL_OF_LINK] = &links}};
static char why[JR_SYSCTL_WHY_BYTES], text[JR_SYSCTL_WORD_BYTES];

static const struct jr_sysctl *fresh(const char *name)
{
    jr_tcp_config_defaults(&tcp);
    jr_ip_config_defaults(&ip);
    jr_link_config_defaults(&links);
    jr_udp_config_defaults(&udp);
    return jr_sysctl_find(name);
}

JR_TEST(every_default_is_what_the_table_says)
{
    fresh("");
    for (unsigned i = 0; i < jr_sysctl_count; i++) {
        jr_sysctl_get(&tree, &jr_sysctls[i], text);
        JR_CHECK(strcmp(text, jr_sysctls[i].def) == 0);
        if (jr_sysctls[i].type == JR_SYSCTL_KEY) /* has none */
            continue;
        JR_CHECK_EQ(jr_sysctl_set(&tree, &jr_sysctls[i], text, why), 0);
    }
    JR_CHECK(jr_sysctl_count > 30);
    JR_CHECK(jr_sysctl_conflict(&tree) == NULL);
}

JR_TEST(sets_numbers_flags_and_words)
{
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, fresh("net.inet.tcp.msl"), "100", why), 0);
    JR_CHECK_EQ(tcp.msl, 100);
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, fresh("net.inet.tcp.sack.enable"), "false", why), 0);
    JR_CHECK_EQ(tcp.sack_enable, 0);
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, fresh("net.inet.tcp.cc.algorithm"), "newreno", why), 0);
    JR_CHECK(strcmp(tcp.cc_algorithm, "newreno") == 0);
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, fresh("net.inet.ip.ttl"), "255", why), 0);
    JR_CHECK_EQ(ip.ttl, 255);
}

JR_TEST(keys_are_set_and_not_told)
{
    const struct jr_sysctl *s = fresh("net.inet.tcp.fastopen.setkey");
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, s, "000102030405060708090a0b0c0d0eFf", why), 0);
    JR_CHECK_EQ(tcp.fastopen_setkey.serial, 1);
    JR_CHECK_EQ(tcp.fastopen_setkey.b[14], 0x0e);
    JR_CHECK_EQ(tcp.fastopen_setkey.b[15], 0xff);
    jr_sysctl_get(&tree, s, text);
    JR_CHECK(strcmp(text, "set") == 0);
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, s, "00010203", why), -EINVAL);
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, s, "000102030405060708090a0b0c0d0eXf", why), -EINVAL);
    JR_CHECK_EQ(tcp.fastopen_setkey.serial, 1);
}

static void refused(const char *name, const char *value, int error, const char *because)
{
    char before[JR_SYSCTL_WORD_BYTES];
    const struct jr_sysctl *s = fresh(name);
    jr_sysctl_get(&tree, s, before);
    JR_CHECK_EQ(jr_sysctl_set_live(&tree, s, value, why), error);
    JR_CHECK(strstr(why, because) != NULL);
    jr_sysctl_get(&tree, s, text);
    JR_CHECK(strcmp(text, before) == 0);
}

JR_TEST(refuses_and_says_why)
{
    refused("net.inet.ip.ttl", "256", -ERANGE, "256 is not between 1 and 255");
    refused("net.inet.tcp.msl", "-1", -EINVAL, "'-1' is no number");
    refused("net.inet.tcp.msl", "12x", -EINVAL, "'12x' is no number");
    refused("net.inet.tcp.msl", "", -EINVAL, "'' is no number");
    refused("net.inet.tcp.msl", "99999999999999999999999", -EINVAL, "is no number");
    refused("net.inet.tcp.sack.enable", "2", -ERANGE, "not between 0 and 1");
    refused("net.inet.tcp.recvspace", "65537", -EINVAL, "no power of two");
    refused("net.inet.tcp.cc.algorithm", "vegas", -EINVAL, "'vegas' is none of cubic, newreno");
    refused("net.inet.ip.portrange.first", "2000", -EPERM, "configuration file");
    refused("net.inet.tcp.sendspace", "4194304", -ERANGE, "net.inet.tcp.sendspace must not be larger than");
    refused("net.inet.tcp.sendbuf_max", "4096", -ERANGE, "net.inet.tcp.sendspace must not be larger than");
    JR_CHECK(jr_sysctl_find("net.inet.tcp.sak.enable") == NULL);
}

JR_TEST(knows_the_algorithms_that_tcp_has)
{
    const struct jr_sysctl *s = fresh("net.inet.tcp.cc.algorithm");
    unsigned n = 0;
    for (; s->choices[n]; n++) {
        bool found = false;
        for (unsigned i = 0; jr_tcp_cc_available(i); i++)
            found |= strcmp(jr_tcp_cc_available(i), s->choices[n]) == 0;
        JR_CHECK(found);
    }
    JR_CHECK(jr_tcp_cc_available(n) == NULL);
}

JR_TEST_MAIN

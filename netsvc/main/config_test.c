/* SPDX-License-Identifier: BSD-3-Clause */
/* What the configuration file turns into, and which words its mistakes are answered with. */
#include "main/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/test.h"
#include "jr_abi.h"

static char said[4096];

static void sink(void *ctx, enum jr_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    strncat(said, line, sizeof said - strlen(said) - 2);
    strcat(said, "\n");
}

static struct jr_config *parse(const char *text)
{
    said[0] = 0;
    jr_log_set_sink(sink, NULL);
    return jr_config_parse("x.toml", text, strlen(text));
}

#define RING "[[port]]\nname = \"p\"\nkind = \"ring\"\n"

JR_TEST(smallest_file)
{
    struct jr_config *c = parse(RING);
    JR_REQUIRE(c);
    JR_CHECK_STR(said, "");
    JR_CHECK_EQ(c->n_ports, 1);
    JR_CHECK_EQ(c->ports[0].dev.kind, JR_PORT_RING);
    JR_CHECK(!c->ports[0].dev.share);
    JR_CHECK_STR(c->run_dir, "/run/joyride");
    JR_CHECK_EQ(c->nice, -10);
    JR_CHECK_EQ(c->ctl.default_route, JR_ROUTE_SERVICE);
    jr_config_free(c);
}

JR_TEST(every_section)
{
    struct jr_config *c = parse(
        "[service]\nrun_dir = \"/run/j\"\nlog_level = \"debug\"\nidle_us = 7\nnice = 3\nlcores = [1]\n"
        "spin_us = 3\nsocket_mode = 0o660\ntelemetry = false\n"
        "[[port]]\nname = \"wan\"\nkind = \"af_xdp\"\ninterface = \"eth0\"\nrx_queue = 1024\n"
        "[port.fault]\nseed = 9\ndrop = 0.5\nrx = {delay_us = 10}\n[port.fault.tx]\ndrop = 1\n"
        "[[port]]\nname = \"m\"\nkind = \"memif\"\nsocket = \"/run/m\"\nrole = \"server\"\nid = 3\n"
        "addresses = [\"10.9.0.1/24\", \"10.9.0.2/24\"]\nmac = \"02:00:00:00:00:01\"\n"
        "[[route]]\nprefix = \"0.0.0.0/0\"\nvia = \"10.9.0.254\"\nport = \"m\"\nmetric = 5\n"
        "[sysctl]\nnet.inet.tcp.msl = 100\nnet.inet.ip = {ttl = 32, portrange.first = 61000}\n"
        "net.inet.tcp.sack.enable = false\n\"net.inet.tcp.rfc1323\" = 0\nnet.inet.tcp.\"cc.algorithm\" = "
        "\"newreno\"\n[limits]\nclients = 10\n"
        "[policy]\ndefault = \"kernel\"\nloopback = \"local\"\n"
        "[[policy.rule]]\naction = \"service\"\nprogram = \"nginx\"\nuser = \"root\"\nproto = \"tcp\"\n"
        "direction = \"in\"\nport = \"80-443\"\nprefix = \"10.0.0.0/8\"\n");
    fputs(said, stderr);
    JR_REQUIRE(c);
    JR_CHECK_STR(c->run_dir, "/run/j");
    JR_CHECK_EQ(c->nice, 3);
    JR_CHECK_EQ(c->log_level, JR_LOG_DEBUG);
    JR_CHECK_EQ(c->lcores[0], 1);
    JR_CHECK_EQ(c->ctl.spin_us, 3);
    JR_CHECK_EQ(c->ctl.socket_mode, 0660);
    JR_REQUIRE(JR_CHECK_EQ(c->n_ports, 2));
    const struct jr_port_config *wan = &c->ports[0].dev, *m = &c->ports[1].dev;
    JR_CHECK(wan->share);
    JR_CHECK(wan->fault.rx.drop == 0.5 && wan->fault.tx.drop == 1.0);
    JR_CHECK_EQ(wan->fault.rx.delay_us, 10);
    JR_CHECK_EQ(wan->fault.tx.delay_us, 0);
    JR_CHECK_EQ(wan->fault.seed, 9);
    JR_CHECK(m->server && !m->share);
    JR_CHECK_EQ(m->mac.b[5], 1);
    JR_CHECK_EQ(c->ports[1].n_addrs, 2);
    JR_CHECK_EQ(jr_addr_to_v4(c->ports[1].addrs[1].addr), htonl(0x0a090002));
    JR_CHECK_EQ(c->routes[0].dst.plen, 0);
    JR_CHECK_EQ(jr_addr_to_v4(c->routes[0].via), htonl(0x0a0900fe));
    JR_CHECK_EQ(c->tcp.msl, 100);
    JR_CHECK_EQ(c->tcp.sack_enable, 0);
    JR_CHECK_STR(c->tcp.cc_algorithm, "newreno");
    JR_CHECK(c->has_portrange);
    JR_CHECK_EQ(c->tcp.port_first, 61000);
    JR_CHECK_EQ(c->ctl.max_clients, 10);
    JR_CHECK_EQ(c->ctl.default_route, JR_ROUTE_KERNEL);
    JR_REQUIRE(JR_CHECK_EQ(c->ctl.nrules, 1));
    const struct jr_rule *r = c->ctl.rules;
    JR_CHECK_STR(r->program, "nginx");
    JR_CHECK_EQ(r->uid, 0);
    JR_CHECK_EQ(r->route, JR_ROUTE_SERVICE);
    JR_CHECK_EQ(r->directions, JR_RULE_IN);
    JR_CHECK_EQ(r->proto, IPPROTO_TCP);
    JR_CHECK_EQ(r->port_first, 80);
    JR_CHECK_EQ(r->port_last, 443);
    JR_CHECK_EQ(r->plen, 104);
    jr_config_free(c);
}

JR_TEST(an_interface_is_shared_unless_it_has_addresses)
{
    struct jr_config *c = parse(
        "[[port]]\nname=\"a\"\nkind=\"af_packet\"\ninterface=\"v0\"\naddresses=[\"10.0.0.1/8\"]");
    JR_REQUIRE(c);
    JR_CHECK(!c->ports[0].dev.share);
    jr_config_free(c);
}

JR_TEST(mistakes_name_file_line_and_key)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "x.toml:1: port: there is no [[port]]\n"},
        {RING "[servise]\n", "x.toml:4: servise: unknown key; did you mean 'service'?\n"},
        {RING "[service]\nidel_us = 1\n", "x.toml:5: service.idel_us: unknown key; did you mean 'idle_us'?\n"},
        {RING "[service]\nzzz = 1\n", "x.toml:5: service.zzz: unknown key\n"},
        {RING "[service]\nidle_us = \"5\"\n", "x.toml:5: service.idle_us: must be an integer, not a string\n"},
        {RING "[service]\nnice = 20\n", "x.toml:5: service.nice: 20 is not between -20 and 19\n"},
        {RING "[service]\nidle_us = -1\n", "x.toml:5: service.idle_us: -1 is not between 0 and 1000000000\n"},
        {RING "[service]\nrun_dir = \"run\"\n", "x.toml:5: service.run_dir: must be an absolute path\n"},
        {RING "[service]\nlcores = [0, 1]\n",
         "x.toml:5: service.lcores: one worker is what this version runs: give one CPU\n"},
        {RING "[sysctl]\nnet.inet.tcp.sack.enabel = 1\n",
         "x.toml:5: net.inet.tcp.sack.enabel: unknown sysctl; did you mean 'net.inet.tcp.sack.enable'?\n"},
        {RING "[sysctl.net.inet]\ntcp.recvspace = 5000\n",
         "x.toml:5: net.inet.tcp.recvspace: 5000 is no power of two\n"},
        {RING "[sysctl]\nnet.inet.tcp = 1\n", "x.toml:5: net.inet.tcp: unknown sysctl\n"},
        {RING "[sysctl]\nnet.inet.tcp.msl = 1.5\n",
         "x.toml:5: net.inet.tcp.msl: must be a number or a word, not a float\n"},
        {RING "[sysctl]\nnet.inet.tcp.msl = 0\n", "x.toml:5: net.inet.tcp.msl: 0 is not between 1 and 120000\n"},
        {RING "[sysctl]\nnet.inet.tcp.sendbuf_max = 4096\n",
         "x.toml:4: net.inet.tcp.sendspace: must not be larger than net.inet.tcp.sendbuf_max\n"},
        {RING "service = 3\n", "x.toml:4: port[0].service: unknown key\n"},
        {RING "share = true\n", "x.toml:4: port[0].share: means nothing for a port of kind ring\n"},
        {"[[port]]\nname = \"p\"\nkind = \"af_xpd\"\n", "x.toml:3: port[0].kind: 'af_xpd' is none of af_xdp, "
                                                        "af_packet, tap, memif, ring, pci; did you mean 'af_xdp'?\n"},
        {"[[port]]\nname = \"p\"\nkind = \"tap\"\n", "x.toml:1: port[0]: has no interface\n"},
        {"[[port]]\nkind = \"ring\"\n", "x.toml:1: port[0]: has no name\n"},
        {RING RING, "x.toml:4: port[1]: the name 'p' is another port's too\n"},
        {RING "addresses = [\"10.0.0.1\"]\n",
         "x.toml:4: port[0].addresses: '10.0.0.1' is no address with its prefix length, as in \"10.9.0.1/24\"\n"},
        {RING "mac = \"01:00:00:00:00:00\"\n",
         "x.toml:4: port[0].mac: '01:00:00:00:00:00' is no MAC address of a station, as in \"02:00:00:00:00:01\"\n"},
        {RING "[port.fault]\ndrop = 1.5\n", "x.toml:5: port[0].fault.drop: 1.5 is not between 0 and 1\n"},
        {RING "[port.fault]\ntx = {dorp = 1}\n",
         "x.toml:5: port[0].fault.tx.dorp: unknown key; did you mean 'drop'?\n"},
        {RING "[[route]]\nprefix = \"10.0.0.1/8\"\nport = \"p\"\n",
         "x.toml:5: route[0].prefix: '10.0.0.1/8' has bits set behind the prefix\n"},
        {RING "[[route]]\nprefix = \"10.0.0.0/8\"\nport = \"q\"\n", "x.toml:6: route[0]: there is no port 'q'\n"},
        {RING "[[policy.rule]]\nport = 0\n", "x.toml:5: policy.rule[0].port: must be a port, or a range as in "
                                             "\"8000-8999\"\nx.toml:4: policy.rule[0]: has no action\n"},
        {RING "[[policy.rule]]\naction = \"service\"\nuser = \"no such user\"\n",
         "x.toml:6: policy.rule[0].user: there is no user 'no such user'\n"},
        {"a = \n", "x.toml:1: '' is no value: strings need quotes, dates aren't known\n"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct jr_config *c = parse(bad[i].text);
        JR_CHECK(!c);
        JR_CHECK_STR(said, bad[i].says);
        jr_config_free(c);
    }
}

JR_TEST(all_mistakes_are_reported_at_once)
{
    JR_CHECK(!parse("[service]\nx = 1\ny = 2\n" RING "z = 3\n"));
    unsigned lines = 0;
    for (const char *s = said; *s; s++)
        lines += *s == '\n';
    JR_CHECK_EQ(lines, 3);
}

JR_TEST(unreadable_file)
{
    said[0] = 0;
    jr_log_set_sink(sink, NULL);
    JR_CHECK(!jr_config_load("/nonexistent/x.toml"));
    JR_CHECK_STR(said, "/nonexistent/x.toml: No such file or directory\n");
}

JR_TEST_MAIN

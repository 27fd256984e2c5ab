/* SPDX-License-Identifier: BSD-3-Clause */
/* sysctl commands of scripts, in process: FreeBSD's names onto the engine's configuration. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "jr_tcp_fsm.h"
#include "link/neigh.h"
#include "sysctl/sysctl.h"
#include "tcp/state.h"
#include "tcp/syncache.h"
#include "tcp/timewait.h"

/* Keys of FreeBSD's that the engine has no switch for: the value is how it behaves, any other is refused. */
static const struct {
    const char *name, *value;
} fixed[] = {
    {"net.inet.tcp.hostcache.purgenow", "1"},
    {"net.inet.tcp.hostcache.purge", "1"},
    {"net.inet.tcp.icmp_may_rst", "1"},
    {"net.inet.tcp.rexmit_drop_options", "0"},
    {"net.inet.tcp.ecn.enable", "2"},
    {"net.inet.tcp.path_mtu_discovery", "1"},
    {"net.inet.tcp.rfc3042", "1"},
    {"net.inet.tcp.rfc3390", "1"},
    {"net.inet.tcp.rfc6675_pipe", "1"},
    {"net.inet.tcp.sack.revised", "1"},
    {"net.inet.tcp.tso", "0"},
    {"net.inet.tcp.fast_finwait2_recycle", "0"},
    {"net.inet.tcp.nolocaltimewait", "0"},
    {"net.inet.tcp.always_keepalive", "0"},
    {"net.inet.tcp.insecure_rst", "0"},
    {"net.inet.tcp.insecure_syn", "0"},
    {"net.inet.tcp.tolerate_missing_ts", "0"},
    {"net.inet.tcp.abc_l_var", "2"},
    {"net.inet.tcp.functions_default", "freebsd"},
    {"net.inet.tcp.syncookies_only", "0"},
    {"net.inet.tcp.fastopen.psk_enable", "0"},
    {"net.inet.ip.ttl", "64"},
};

static bool set_key(struct engine *en, const char *name, const char *value, char *why, size_t room)
{
    const struct jr_sysctl_tree tree = {.at = {[JR_SYSCTL_OF_IP] = jr_ip_config(en->ip),
                                               [JR_SYSCTL_OF_LINK] = &en->link,
                                               [JR_SYSCTL_OF_TCP] = jr_tcp_config(en->tcp),
                                               [JR_SYSCTL_OF_UDP] = jr_udp_config(en->udp)}};
    const struct jr_sysctl *key = jr_sysctl_find(name);
    char reason[JR_SYSCTL_WHY_BYTES];

    if (key) {
        if ((key->boot ? jr_sysctl_set_live : jr_sysctl_set)(&tree, key, value, reason) == 0) {
            jr_tcp_config_changed(en->tcp);
            return true;
        }
        snprintf(why, room, "%s=%s: %s", name, value, reason);
        return false;
    }
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (strcmp(fixed[i].name, name) != 0)
            continue;
        if (!fixed[i].value || strcmp(fixed[i].value, value) == 0)
            return true;
        snprintf(why, room, "%s is always %s, not '%s'", name, fixed[i].value, value);
        return false;
    }
    snprintf(why, room, "no key %s", name);
    return false;
}

/* One "sysctl [-q] [-w] key=value ..." */
static bool one_sysctl(struct engine *en, char *words, char *why, size_t room)
{
    char *save, *w;

    for (w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        char *eq = strchr(w, '=');
        if (strcmp(w, "-w") == 0 || strcmp(w, "-q") == 0 || strcmp(w, ">/dev/null") == 0 || strcmp(w, "2>&1") == 0)
            continue;
        if (!eq) {
            snprintf(why, room, "'%s' sets nothing", w);
            return false;
        }
        *eq = 0;
        if (strncmp(w, "net.ipv4.", 9) == 0 || strncmp(w, "net.core.", 9) == 0 || strncmp(w, "net.ipv6.", 9) == 0)
            continue; /* for the kernel */
        if (!set_key(en, w, eq + 1, why, room))
            return false;
    }
    return true;
}

static const char *const state_names[TCPS__COUNT] = {
    [TCPS_CLOSED] = "CLOSED",         [TCPS_LISTEN] = "LISTEN",           [TCPS_SYN_SENT] = "SYN_SENT",
    [TCPS_SYN_RECEIVED] = "SYN_RCVD", [TCPS_ESTABLISHED] = "ESTABLISHED", [TCPS_CLOSE_WAIT] = "CLOSE_WAIT",
    [TCPS_FIN_WAIT_1] = "FIN_WAIT_1", [TCPS_CLOSING] = "CLOSING",         [TCPS_LAST_ACK] = "LAST_ACK",
    [TCPS_FIN_WAIT_2] = "FIN_WAIT_2", [TCPS_TIME_WAIT] = "TIME_WAIT",
};

/* As FreeBSD's sockstat(1) -s shows them, for a pipe that looks for a state. */
static void list_sockets(struct engine *en, FILE *to)
{
    for (int fd = 0; fd < ENGINE_FDS; fd++) {
        const struct esock *so = en->fds[fd];
        if (so && so->type == SOCK_STREAM)
            fprintf(to, "root packetdrill 1 %d tcp%c local remote %s\n", fd, so->v6 ? '6' : '4',
                    so->tp ? state_names[jr_tcp_state(so->tp)] : "CLOSED");
    }
    for (uint32_t i = jr_syncache_count(en->tcp); i > 0; i--)
        fputs("? ? ? ? tcp4 local remote SYN_RCVD\n", to);
}

static bool sockstat(struct engine *en, const char *cmd, char *why, size_t room)
{
    const char *pipe_at = strchr(cmd, '|');
    FILE *to = popen(pipe_at ? pipe_at + 1 : "cat", "w");
    int status;

    if (!to)
        return false;
    list_sockets(en, to);
    status = pclose(to);
    snprintf(why, room, "'%s' failed", cmd);
    return status == 0;
}

/* "ADDRESS": another one of ours, in the script's subnet. */
static bool add_addr(struct engine *en, const char *text, char *why, size_t room)
{
    struct in_addr a;
    int err = -EINVAL;

    if (inet_pton(AF_INET, text, &a) == 1)
        err = jr_ip_addr_add(en->ip, en->ifp, jr_addr_v4(a.s_addr), en->opt.plen, jr_addr_v4(0), false, en->now);
    snprintf(why, room, "'%s' can't be an address of ours", text);
    return err == 0;
}

/* "ADDRESS": the router of everything that is not near. */
static bool add_route(struct engine *en, const char *text, char *why, size_t room)
{
    struct jr_ip_route_conf route = {.dst = jr_addr_v4(0), .src = jr_addr_v4(0), .ifp = en->ifp};
    struct in_addr a;

    snprintf(why, room, "'%s' can't be a router", text);
    if (inet_pton(AF_INET, text, &a) != 1)
        return false;
    route.gw = jr_addr_v4(a.s_addr);
    return jr_ip_route_add(en->ip, &route) == 0;
}

/* "ADDRESS STATION": an entry that stays; the station ends 02:00:00:00:00:xx. */
static bool set_neighbour(struct engine *en, char *text, char *why, size_t room)
{
    char *station = strchr(text, ' ');
    struct jr_ether_addr mac = {{2}};
    struct in_addr a;

    snprintf(why, room, "'arp -s' needs an address and a station");
    if (!station)
        return false;
    *station++ = 0;
    mac.b[5] = (uint8_t)strtoul(station, NULL, 0);
    if (inet_pton(AF_INET, text, &a) != 1)
        return false;
    jr_neigh_set(en->ifp, jr_addr_v4(a.s_addr), mac, JR_NEIGH_PERMANENT, en->now);
    return true;
}

/* tcpdrop -s STATE */
static bool drop_in(struct engine *en, const char *name)
{
    int state = 0;

    while (state < TCPS__COUNT && strcmp(name, state_names[state]) != 0)
        state++;
    JR_LIST_EACH(it, &en->tcp->all) {
        struct jr_tcpcb *tp = JR_LIST_ENTRY(it, struct jr_tcpcb, all_link);
        if (tp->t_state == state)
            jr_tcp_drop(tp, ECONNABORTED, en->now);
    }
    while (state == TCPS_TIME_WAIT && jr_timewait_drop_oldest(en->tcp))
        ;
    return state < TCPS__COUNT;
}

/* What looks at a network from outside has nothing to look at here. */
static bool is_nothing(const char *cmd)
{
    static const char *const begins[] = {"#", "true", "sync", "dmesg ", "tcpdump ", "pkill ", "killall "};

    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(cmd, begins[i], strlen(begins[i])) == 0)
            return true;
    return *cmd == 0;
}

static bool one_command(struct engine *en, char *cmd, char *why, size_t room)
{
    cmd += strspn(cmd, " \t\n");
    if (is_nothing(cmd))
        return true;
    if (strncmp(cmd, "tcpdrop -s ", 11) == 0 && drop_in(en, cmd + 11))
        return true;
    if (strncmp(cmd, "sysctl ", 7) == 0)
        return one_sysctl(en, cmd + 7, why, room);
    if (strncmp(cmd, "kldload ", 8) == 0 || strncmp(cmd, "kldunload ", 10) == 0)
        return true; /* what the engine has is always there */
    if (strncmp(cmd, "sockstat ", 9) == 0)
        return sockstat(en, cmd, why, room);
    if (strncmp(cmd, "ip addr add ", 12) == 0)
        return add_addr(en, cmd + 12, why, room);
    if (strncmp(cmd, "ip route add default via ", 25) == 0)
        return add_route(en, cmd + 25, why, room);
    if (strncmp(cmd, "arp -s ", 7) == 0)
        return set_neighbour(en, cmd + 7, why, room);
    snprintf(why, room, "'%s' is no command that the engine has", cmd);
    return false;
}

/* FreeBSD's scripts give TCP's keys with setkey(8), which here --tcp_md5_secret does, and Fast Open's, all zeros, with
 * a program of theirs. */
static bool is_about_keys(struct engine *en, const char *text, char *why, size_t room, bool *ok)
{
    if (strstr(text, "setkey -")) {
        *ok = true;
        return true;
    }
    *ok = strstr(text, "setkey.c") &&
          set_key(en, "net.inet.tcp.fastopen.setkey", "00000000000000000000000000000000", why, room);
    return *ok;
}

bool engine_command(struct engine *en, const char *text, char *why, size_t room)
{
    bool ok;
    if (is_about_keys(en, text, why, room, &ok))
        return ok;
    char *copy = drill_strndup(text, strlen(text)), *save, *cmd;

    for (cmd = strtok_r(copy, ";\n", &save); cmd; cmd = strtok_r(NULL, ";\n", &save))
        if (!one_command(en, cmd, why, room))
            return false;
    return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "script.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void options_init(struct options *o)
{
    *o = (struct options){.tolerance_us = 4000, .mtu = 1500, .plen = 16, .bind_port = 8080, .connect_port = 8080};
}

static bool set_addr(struct jr_addr *to, const char *value)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, value, &v4) == 1) {
        *to = jr_addr_v4(v4.s_addr);
        return true;
    }
    if (inet_pton(AF_INET6, value, &v6) != 1)
        return false;
    memcpy(to->b, v6.s6_addr, sizeof to->b);
    return true;
}

static bool set_number(int64_t *to, const char *value, int64_t min, int64_t max)
{
    char *end;

    *to = strtoll(value, &end, 0);
    return *value && !*end && *to >= min && *to <= max;
}

static bool set_netmask(struct options *o, const char *value)
{
    struct in_addr a;
    uint32_t m;

    if (inet_pton(AF_INET, value, &a) != 1)
        return false;
    m = ntohl(a.s_addr);
    o->plen = (uint8_t)__builtin_popcount(m);
    return o->plen == 0 || m == 0xffffffffu << (32 - o->plen);
}

static bool set_version(struct options *o, const char *value)
{
    static const char *const names[] = {"ipv4", "ipv6", "ipv4-mapped-ipv6"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            o->ip_version = (enum ip_version)i;
            return true;
        }
    }
    return false;
}

/* What packetdrill takes and has no meaning without a network of its own. */
static bool is_ignored(const char *name)
{
    static const char *const names[] = {
        "gateway_ip",      "speed",           "non_fatal",      "init_scripts",       "so_filename",
        "dry_run",         "verbose",         "code_command",   "code_format",        "code_sockopt",
        "wire_client_dev", "wire_server_dev", "hold_off_usecs", "persistent_tun_dev", "tun_dev",
        "wire_client",     "wire_server",     "wire_server_at", "wire_server_ip",     "wire_server_port",
        "debug",           "strict_segments", "prefix_ip",      "remote_prefix_ip",   "define"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool options_set(struct options *o, const char *name, const char *value)
{
    int64_t n = 0;
    bool ok = true;

    if (strcmp(name, "ip_version") == 0)
        return set_version(o, value);
    if (strcmp(name, "local_ip") == 0)
        return set_addr(&o->local, value);
    if (strcmp(name, "remote_ip") == 0)
        return set_addr(&o->remote, value);
    if (strcmp(name, "netmask_ip") == 0)
        return set_netmask(o, value);
    if (strcmp(name, "tolerance_usecs") == 0)
        return set_number(&o->tolerance_us, value, 0, 3600000000);
    if (strcmp(name, "tcp_ts_tick_usecs") == 0)
        return set_number(&o->ts_tick_us, value, 0, 10000000);
    if (strcmp(name, "mtu") == 0) {
        ok = set_number(&n, value, 68, 65535);
        o->mtu = (uint32_t)n;
    } else if (strcmp(name, "bind_port") == 0) {
        ok = set_number(&n, value, 1, 65535);
        o->bind_port = (uint16_t)n;
    } else if (strcmp(name, "connect_port") == 0) {
        ok = set_number(&n, value, 1, 65535);
        o->connect_port = (uint16_t)n;
    } else if (strcmp(name, "rst_unread") == 0) {
        o->rst_unread = true;
    } else if (strcmp(name, "tcp_md5_secret") == 0) {
        o->md5_secret = value;
    } else if (strcmp(name, "arp") == 0) {
        o->arp = true;
    } else {
        return is_ignored(name);
    }
    return ok;
}

void options_finish(struct options *o)
{
    const bool v6 = o->ip_version == IP_V6;

    if (jr_addr_is_any(o->local))
        set_addr(&o->local, v6 ? "fd3d:fa7b:d17d::1" : "192.168.0.1");
    if (jr_addr_is_any(o->remote))
        set_addr(&o->remote, v6 ? "2001:db8::1" : "192.0.2.1");
    if (v6)
        o->plen = 64;
}

static void parse_option(struct text *t, struct options *o)
{
    const char *name, *from;

    t->p += 2;
    name = text_word(t);
    if (!name)
        text_fail(t, "an option needs a name");
    from = t->p;
    if (*t->p == '=') {
        t->p++;
        from = t->p;
        while (*t->p && !isspace((unsigned char)*t->p))
            t->p++;
    }
    if (!options_set(o, name, drill_strndup(from, (size_t)(t->p - from))))
        text_fail(t, "--%s=%.*s: no such option or value", name, (int)(t->p - from), from);
}

static int64_t end_time(struct text *t)
{
    text_take(t, "+");
    return text_seconds(t);
}

static struct when parse_when(struct text *t)
{
    struct when w = {.kind = WHEN_ABSOLUTE};

    if (text_take(t, "*")) {
        w.kind = WHEN_ANY;
        return w;
    }
    if (text_take(t, "+"))
        w.kind = WHEN_RELATIVE;
    else if (!text_next_is_digit(t) && *t->p != '.') {
        w.kind = WHEN_RELATIVE; /* none: at once */
        return w;
    }
    w.us = w.end_us = text_seconds(t);
    if (text_take(t, "~")) {
        w.range = true;
        w.end_us = end_time(t);
    } else if (text_ellipsis(t)) {
        w.blocking = true;
        w.end_us = end_time(t);
    }
    if (w.end_us < w.us)
        text_fail(t, "the time span ends before it begins");
    return w;
}

/* = 3, = ?, = -1 EINVAL (Invalid argument), = 0x2 (flags O_RDWR) */
static void parse_result(struct text *t, struct call *c)
{
    text_need(t, "=");
    if (!text_take(t, "?"))
        c->result = expr_parse(t);
    if (text_peek(t) == 'E') {
        c->err = text_word(t);
        int64_t v;
        if (!symbol_value(c->err, &v))
            text_fail(t, "%s is no error this program knows", c->err);
    }
    if (text_take(t, "(")) {
        const char *end = strchr(t->p, ')');
        if (!end)
            text_fail(t, "expected ')'");
        t->p = end + 1;
    }
}

static struct call *parse_call(struct text *t)
{
    struct call *c = drill_alloc(sizeof *c);

    c->name = text_word(t);
    if (!c->name)
        text_fail(t, "expected a packet, a call, a command or code before '%.20s'", t->p);
    text_need(t, "(");
    while (!text_take(t, ")")) {
        if (c->nargs && !text_take(t, ","))
            text_fail(t, "expected ',' or ')' before '%.20s'", t->p);
        if (c->nargs == sizeof c->args / sizeof *c->args)
            text_fail(t, "too many arguments");
        c->args[c->nargs++] = expr_parse(t);
    }
    parse_result(t, c);
    text_take(t, ";");
    return c;
}

static const char *parse_code(struct text *t)
{
    const char *from = t->p, *end = strstr(from, "}%");

    if (!end)
        text_fail(t, "the code has no end");
    t->p = end + 2;
    return drill_strndup(from, (size_t)(end - from));
}

static struct event *parse_event(struct text *t)
{
    struct event *ev = drill_alloc(sizeof *ev);

    ev->line = text_line(t);
    ev->when = parse_when(t);
    if (text_take(t, "<") || text_take(t, ">")) {
        ev->kind = EVENT_PACKET;
        ev->packet = packet_parse(t, t->p[-1] == '<');
    } else if (text_peek(t) == '`') {
        ev->kind = EVENT_COMMAND;
        ev->text = text_quoted(t, '`');
    } else if (text_take(t, "%{")) {
        ev->kind = EVENT_CODE;
        ev->text = parse_code(t);
    } else {
        ev->kind = EVENT_CALL;
        ev->call = parse_call(t);
    }
    if (ev->when.range && !(ev->kind == EVENT_PACKET && !ev->packet->inbound))
        drill_bad_script(t->file, ev->line, "only packets sent by the stack may come within a time span");
    if (ev->when.blocking && ev->kind != EVENT_CALL)
        drill_bad_script(t->file, ev->line, "only a call can block");
    return ev;
}

void script_parse(struct script *s, const char *file, const char *content, const struct options *opt)
{
    struct event **end = &s->first;
    struct text t;

    s->file = file;
    s->first = NULL;
    s->opt = *opt;
    text_init(&t, file, content);
    for (text_skip(&t); strncmp(t.p, "--", 2) == 0; text_skip(&t))
        parse_option(&t, &s->opt);
    options_finish(&s->opt);
    t.v6 = s->opt.ip_version == IP_V6;
    while (text_peek(&t)) {
        *end = parse_event(&t);
        end = &(*end)->next;
    }
    if (!s->first)
        text_fail(&t, "the script is empty");
}

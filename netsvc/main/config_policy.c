/* SPDX-License-Identifier: BSD-3-Clause */
/* [policy]: which sockets go to the service. The first [[policy.rule]] that matches decides. */
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "jr_abi.h"
#include "main/config_value.h"

static void parse_route(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    static const char *const names[] = {"kernel", "service"};
    int i = jr_schema_choice(ctx, v, where, names, 2);
    if (i >= 0)
        *(uint32_t *)at = i ? JR_ROUTE_SERVICE : JR_ROUTE_KERNEL;
}

static void parse_loopback(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    static const char *const names[] = {"kernel", "local", "service"};
    static const uint32_t routes[] = {JR_ROUTE_KERNEL, JR_ROUTE_LOCAL, JR_ROUTE_SERVICE};
    int i = jr_schema_choice(ctx, v, where, names, 3);
    if (i >= 0)
        *(uint32_t *)at = routes[i];
}

static void parse_direction(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    static const char *const names[] = {"in", "out", "any"};
    int i = jr_schema_choice(ctx, v, where, names, 3);
    *(uint32_t *)at = i == 0 ? JR_RULE_IN : i == 1 ? JR_RULE_OUT : 0;
}

static void parse_proto(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    static const char *const names[] = {"tcp", "udp", "any"};
    int i = jr_schema_choice(ctx, v, where, names, 3);
    *(uint8_t *)at = i == 0 ? IPPROTO_TCP : i == 1 ? IPPROTO_UDP : 0;
}

static void parse_user(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    if (v->type == JR_TOML_INT) {
        if (v->i < 0 || v->i > UINT32_MAX)
            jr_schema_error(ctx, v, where, "%lld is no user id", (long long)v->i);
        *(int64_t *)at = v->i;
        return;
    }
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return;
    const struct passwd *pw = getpwnam(v->str.s);
    if (pw)
        *(int64_t *)at = pw->pw_uid;
    else
        jr_schema_error(ctx, v, where, "there is no user '%.40s'", v->str.s);
}

/* 443 or "8000-8999". */
static void parse_ports(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_rule *r = at;
    unsigned first = 0, last = 0;
    int end = 0;
    if (v->type == JR_TOML_INT) {
        first = last = v->i > 0 && v->i <= 65535 ? (unsigned)v->i : 0;
    } else if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING)) {
        return;
    } else if (sscanf(v->str.s, "%5u-%5u%n", &first, &last, &end) != 2 || v->str.s[end] || last < first ||
               last > 65535) {
        first = 0;
    }
    if (!first)
        jr_schema_error(ctx, v, where, "must be a port, or a range as in \"8000-8999\"");
    r->port_first = (uint16_t)first;
    r->port_last = (uint16_t)last;
}

static void parse_prefix(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_rule *r = at;
    struct jr_config_prefix p = {0};
    jr_config_net(ctx, v, where, &p);
    r->prefix = p.addr;
    r->plen = jr_addr_is_v4(p.addr) ? 96u + p.plen : p.plen;
}

static void parse_program(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    char **program = ctx->user;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return;
    free(*program); /* reported as defined twice already */
    *program = strdup(v->str.s);
    *(const char **)at = *program;
}

#define R(field) offsetof(struct jr_rule, field)
static const struct jr_schema_key rule_keys[] = {
    {"action", JR_KEY_FN, R(route), 0, 0, parse_route}, {"program", JR_KEY_FN, R(program), 0, 0, parse_program},
    {"user", JR_KEY_FN, R(uid), 0, 0, parse_user},      {"direction", JR_KEY_FN, R(directions), 0, 0, parse_direction},
    {"proto", JR_KEY_FN, R(proto), 0, 0, parse_proto},  {"port", JR_KEY_FN, 0, 0, 0, parse_ports},
    {"prefix", JR_KEY_FN, 0, 0, 0, parse_prefix},
};
#undef R

static void parse_rules(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config *cfg = at;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_ARRAY))
        return;
    for (const struct jr_toml *t = v->child; t; t = t->next) {
        char name[32];
        size_t i = cfg->ctl.nrules;
        if (i == JR_CONFIG_RULES) {
            jr_schema_error(ctx, t, where, "more than %d rules", JR_CONFIG_RULES);
            return;
        }
        snprintf(name, sizeof name, "policy.rule[%zu]", i);
        cfg->ctl.nrules++;
        cfg->rules[i] = (struct jr_rule){.uid = -1};
        ctx->user = &cfg->rule_programs[i];
        JR_CONFIG_BIND(ctx, t, name, rule_keys, &cfg->rules[i]);
        if (t->type == JR_TOML_TABLE && !jr_toml_get(t, "action"))
            jr_schema_error(ctx, t, name, "has no action");
    }
}

static const struct jr_schema_key policy_keys[] = {
    {"default", JR_KEY_FN, offsetof(struct jr_config, ctl.default_route), 0, 0, parse_route},
    {"loopback", JR_KEY_FN, offsetof(struct jr_config, ctl.loopback), 0, 0, parse_loopback},
    {"udp_wildcard", JR_KEY_FN, offsetof(struct jr_config, ctl.udp_wildcard), 0, 0, parse_route},
    {"multicast", JR_KEY_FN, offsetof(struct jr_config, ctl.multicast), 0, 0, parse_route},
    {"rule", JR_KEY_FN, 0, 0, 0, parse_rules},
};

void jr_config_policy(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config *cfg = at;
    JR_CONFIG_BIND(ctx, v, where, policy_keys, at);
    if (v->type == JR_TOML_TABLE && !jr_toml_get(v, "udp_wildcard") && cfg->ctl.loopback == JR_ROUTE_SERVICE)
        cfg->ctl.udp_wildcard = JR_ROUTE_SERVICE;
}

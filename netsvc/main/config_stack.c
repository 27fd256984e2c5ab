/* SPDX-License-Identifier: BSD-3-Clause */
/* [sysctl] and [limits]. */
#include <inttypes.h>
#include <stdio.h>

#include "main/config_value.h"
#include "sysctl/sysctl.h"

enum { SYSCTL_NAME_BYTES = 128 };

/* Numbers and true and false as the text that jr_sysctl_set() takes; false, and reported: v is nothing like it. */
static bool as_text(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, char out[64])
{
    if (v->type == JR_TOML_INT)
        snprintf(out, 64, "%" PRId64, v->i);
    else if (v->type == JR_TOML_BOOL)
        snprintf(out, 64, "%s", v->b ? "true" : "false");
    else if (v->type == JR_TOML_STRING)
        snprintf(out, 64, "%s", v->str.s);
    else
        jr_schema_error(ctx, v, where, "must be a number or a word, not %s", jr_toml_type_name(v->type));
    return v->type == JR_TOML_INT || v->type == JR_TOML_BOOL || v->type == JR_TOML_STRING;
}

static void unknown(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *name)
{
    struct jr_suggestion s = JR_SUGGESTION_NONE;
    char hint[96];
    for (unsigned i = 0; i < jr_sysctl_count; i++)
        jr_suggestion_add(&s, name, jr_sysctls[i].name);
    jr_schema_error(ctx, v, name, "unknown sysctl%s", jr_suggestion_phrase(&s, name, hint, sizeof hint));
}

static void bind_sysctl(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *prefix, struct jr_config *cfg)
{
    const struct jr_sysctl_tree tree = jr_config_sysctls(cfg);
    char name[SYSCTL_NAME_BYTES], text[64], why[JR_SYSCTL_WHY_BYTES];
    snprintf(name, sizeof name, "%s%s%.60s", prefix, *prefix ? "." : "", v->key);
    const struct jr_sysctl *s = jr_sysctl_find(name);
    if (s) {
        if (as_text(ctx, v, name, text) && jr_sysctl_set(&tree, s, text, why))
            jr_schema_error(ctx, v, name, "%s", why);
        cfg->has_localtimewait |= strcmp(name, "net.inet.tcp.nolocaltimewait") == 0;
        cfg->has_keepcnt |= strcmp(name, "net.inet.tcp.keepcnt") == 0;
        cfg->has_finwait2 |= strcmp(name, "net.inet.tcp.fast_finwait2_recycle") == 0;
        cfg->has_portrange |= strncmp(name, "net.inet.ip.portrange.", 22) == 0;
    } else if (v->type == JR_TOML_TABLE && strlen(name) < SYSCTL_NAME_BYTES - 62) {
        for (const struct jr_toml *c = v->child; c; c = c->next)
            bind_sysctl(ctx, c, name, cfg);
    } else {
        unknown(ctx, v, name);
    }
}

struct jr_sysctl_tree jr_config_sysctls(struct jr_config *cfg)
{
    return (struct jr_sysctl_tree){.at = {[JR_SYSCTL_OF_TCP] = &cfg->tcp,
                                          [JR_SYSCTL_OF_IP] = &cfg->ip,
                                          [JR_SYSCTL_OF_UDP] = &cfg->udp,
                                          [JR_SYSCTL_OF_LINK] = &cfg->link}};
}

void jr_config_sysctl(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    if (!jr_schema_expect(ctx, v, where, JR_TOML_TABLE))
        return;
    for (const struct jr_toml *c = v->child; c; c = c->next)
        bind_sysctl(ctx, c, "", at);
    const struct jr_sysctl_tree tree = jr_config_sysctls(at);
    const struct jr_sysctl *bad = jr_sysctl_conflict(&tree);
    if (bad)
        jr_schema_error(ctx, v, bad->name, "must not be larger than %s", bad->at_most);
}

#define L(field) offsetof(struct jr_config, ctl.field)
static const struct jr_schema_key limit_keys[] = {
    {"sockets_per_user", JR_KEY_U32, L(max_sockets_per_user), 1, 1 << 26, NULL},
    {"segments_per_user", JR_KEY_U32, L(max_segments_per_user), 1, 1 << 20, NULL},
    {"clients_per_user", JR_KEY_U32, L(max_clients_per_user), 1, 1 << 20, NULL},
    {"clients", JR_KEY_U32, L(max_clients), 1, 1 << 20, NULL},
    {"pairs", JR_KEY_U32, L(max_pairs), 0, 1 << 20, NULL},
    {"ring_init", JR_KEY_POW2, L(ring_init), 65536, 1 << 24, NULL},
    {"tx_ring_max", JR_KEY_POW2, L(tx_ring_max), 65536, 1 << 24, NULL},
    {"rx_ring_max", JR_KEY_POW2, L(rx_ring_max), 65536, 1 << 24, NULL},
    {"dgram_ring", JR_KEY_POW2, L(dgram_ring), 4096, 1 << 24, NULL},
    {"embryo_bytes", JR_KEY_U64, L(embryo_bytes_max), 65536, 1ll << 40, NULL},
};
#undef L

void jr_config_limits(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    JR_CONFIG_BIND(ctx, v, where, limit_keys, at);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the configuration file: its top level and [service]; the parts have files of their own. */
#include "main/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "jr_abi.h"
#include "main/config_value.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static void parse_log_level(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    int i = jr_schema_choice(ctx, v, where, names, 4);
    if (i >= 0)
        *(enum jr_log_level *)at = i;
}

static void parse_lcores(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    struct jr_config *cfg = at;
    if (!jr_schema_expect(ctx, v, where, JR_TOML_ARRAY))
        return;
    for (const struct jr_toml *c = v->child; c; c = c->next) {
        if (!jr_schema_expect(ctx, c, where, JR_TOML_INT))
            return;
        if (c->i < 0 || c->i > 1023)
            jr_schema_error(ctx, c, where, "%lld is no CPU", (long long)c->i);
        else if (cfg->n_lcores == 1)
            jr_schema_error(ctx, c, where, "one worker is what this version runs: give one CPU");
        else
            cfg->lcores[cfg->n_lcores++] = (int32_t)c->i;
    }
}

static void parse_nice(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    if (!jr_schema_expect(ctx, v, where, JR_TOML_INT))
        return;
    if (v->i < -20 || v->i > 19)
        jr_schema_error(ctx, v, where, "%lld is not between -20 and 19", (long long)v->i);
    else
        *(int32_t *)at = (int32_t)v->i;
}

static void parse_octal_mode(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    if (!jr_schema_expect(ctx, v, where, JR_TOML_INT))
        return;
    if (v->i < 0 || v->i > 0777)
        jr_schema_error(ctx, v, where, "%lld is no file mode, as in 0o660", (long long)v->i);
    else
        *(mode_t *)at = (mode_t)v->i;
}

#define S(field) offsetof(struct jr_config, field)
static const struct jr_schema_key service_keys[] = {
    {"run_dir", JR_KEY_STR, S(run_dir), 0, sizeof(((struct jr_config *)0)->run_dir), NULL},
    {"log_level", JR_KEY_FN, S(log_level), 0, 0, parse_log_level},
    {"idle_us", JR_KEY_U32, S(idle_us), 0, 1000000000, NULL},
    {"spin_us", JR_KEY_U32, S(ctl.spin_us), 0, 1000000, NULL},
    {"nice", JR_KEY_FN, S(nice), 0, 0, parse_nice},
    {"burst", JR_KEY_U32, S(burst), 1, 64, NULL},
    {"lcores", JR_KEY_FN, 0, 0, 0, parse_lcores},
    {"hugepages_mb", JR_KEY_U32, S(hugepages_mb), 0, 1 << 20, NULL},
    {"telemetry", JR_KEY_BOOL, S(telemetry), 0, 0, NULL},
    {"socket_mode", JR_KEY_FN, S(ctl.socket_mode), 0, 0, parse_octal_mode},
};
#undef S

static void parse_service(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    JR_CONFIG_BIND(ctx, v, where, service_keys, at);
    const struct jr_config *cfg = at;
    if (cfg->run_dir[0] != '/')
        jr_schema_error(ctx, jr_toml_get(v, "run_dir"), "service.run_dir", "must be an absolute path");
}

/* [[route]] refers to ports, so it is bound when all of them are. */
static void parse_later(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at)
{
    (void)ctx;
    (void)v;
    (void)where;
    (void)at;
}

static const struct jr_schema_key top_keys[] = {
    {"service", JR_KEY_FN, 0, 0, 0, parse_service},   {"port", JR_KEY_FN, 0, 0, 0, jr_config_ports},
    {"route", JR_KEY_FN, 0, 0, 0, parse_later},       {"sysctl", JR_KEY_FN, 0, 0, 0, jr_config_sysctl},
    {"limits", JR_KEY_FN, 0, 0, 0, jr_config_limits}, {"policy", JR_KEY_FN, 0, 0, 0, jr_config_policy},
};

static void defaults(struct jr_config *cfg)
{
    strcpy(cfg->run_dir, "/run/joyride");
    cfg->log_level = JR_LOG_INFO;
    cfg->idle_us = 50;
    cfg->nice = -10;
    cfg->burst = 32;
    cfg->hugepages_mb = 128;
    cfg->telemetry = true;
    jr_ip_config_defaults(&cfg->ip);
    jr_udp_config_defaults(&cfg->udp);
    jr_link_config_defaults(&cfg->link);
    jr_tcp_config_defaults(&cfg->tcp);
    /* 1 Gbit/s over 130 ms; FreeBSD's 2 MiB are enough for 16 ms of it. */
    cfg->tcp.maxsockbuf = cfg->tcp.sendbuf_max = cfg->tcp.recvbuf_max = 16u << 20;
    jr_ctl_config_defaults(&cfg->ctl);
}

struct jr_config *jr_config_parse(const char *name, const char *text, size_t len)
{
    struct jr_toml_error err;
    struct jr_schema_ctx ctx = {.file = name};
    struct jr_config *cfg = calloc(1, sizeof *cfg);
    if (!cfg)
        return NULL;
    defaults(cfg);
    snprintf(cfg->path, sizeof cfg->path, "%s", name);
    struct jr_toml *root = jr_toml_parse(text, len, &err);
    if (!root) {
        jr_log(JR_LOG_ERROR, "%s:%u: %s", name, err.line, err.text);
        jr_config_free(cfg);
        return NULL;
    }
    JR_CONFIG_BIND(&ctx, root, "", top_keys, cfg);
    const struct jr_toml *routes = jr_toml_get(root, "route");
    if (routes)
        jr_config_routes(&ctx, routes, "route", cfg);
    if (!cfg->n_ports && cfg->ctl.loopback != JR_ROUTE_SERVICE && !ctx.errors)
        jr_schema_error(&ctx, root, "port", "there is no [[port]]");
    jr_toml_free(root);
    cfg->ctl.rules = cfg->rules;
    if (ctx.errors) {
        jr_config_free(cfg);
        return NULL;
    }
    return cfg;
}

struct jr_config *jr_config_load(const char *path)
{
    struct jr_config *cfg = NULL;
    char *text = malloc(FILE_BYTES_MAX);
    FILE *f = fopen(path, "re");
    if (!f || !text) {
        jr_log(JR_LOG_ERROR, "%s: %s", path, strerror(errno));
    } else {
        size_t n = fread(text, 1, FILE_BYTES_MAX, f);
        if (ferror(f) || n == FILE_BYTES_MAX)
            jr_log(JR_LOG_ERROR, "%s: %s", path, ferror(f) ? strerror(errno) : "is longer than a mebibyte");
        else
            cfg = jr_config_parse(path, text, n);
    }
    if (f)
        fclose(f);
    free(text);
    return cfg;
}

void jr_config_free(struct jr_config *cfg)
{
    if (!cfg)
        return;
    for (size_t i = 0; i < JR_CONFIG_RULES; i++)
        free(cfg->rule_programs[i]);
    free(cfg);
}

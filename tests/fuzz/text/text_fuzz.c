/* SPDX-License-Identifier: BSD-3-Clause */
/* What an administrator writes: TOML, and in it knobs by name with values as text. Neither may crash or leak. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/toml.h"
#include "ip/ip.h"
#include "link/link.h"
#include "sysctl/sysctl.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jr_tcp_config tcp;
static struct jr_ip_config ip;
static struct jr_udp_config udp;
static struct jr_link_config link_cfg;
static const struct jr_sysctl_tree tree = {.at = {[JR_SYSCTL_OF_TCP] = &tcp,
                                                  [JR_SYSCTL_OF_IP] = &ip,
                                                  [JR_SYSCTL_OF_UDP] = &udp,
                                                  [JR_SYSCTL_OF_LINK] = &link_cfg}};

static void set_one(const char *name, const char *value)
{
    const struct jr_sysctl *s = jr_sysctl_find(name);
    char why[JR_SYSCTL_WHY_BYTES] = "", before[JR_SYSCTL_WORD_BYTES], after[JR_SYSCTL_WORD_BYTES];
    if (s == NULL)
        return;
    jr_sysctl_get(&tree, s, before);
    const int err = jr_sysctl_set_live(&tree, s, value, why);
    jr_sysctl_get(&tree, s, after);
    if ((err != 0 && (strcmp(before, after) != 0 || why[0] == 0)) || jr_sysctl_conflict(&tree) != NULL)
        abort();
}

static void walk(const struct jr_toml *node, const char *path)
{
    char name[256], number[32];
    for (const struct jr_toml *c = node->child; c != NULL; c = c->next) {
        snprintf(name, sizeof name, "%s%s%s", path, *path ? "." : "", c->key ? c->key : "");
        if (c->type == JR_TOML_TABLE || c->type == JR_TOML_ARRAY) {
            walk(c, name);
        } else if (c->type == JR_TOML_STRING) {
            set_one(name, c->str.s);
        } else if (c->type == JR_TOML_INT) {
            snprintf(number, sizeof number, "%lld", (long long)c->i);
            set_one(name, number);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jr_toml_error err = {0};
    struct jr_toml *root = jr_toml_parse((const char *)data, size, &err);
    jr_tcp_config_defaults(&tcp);
    jr_ip_config_defaults(&ip);
    jr_udp_config_defaults(&udp);
    jr_link_config_defaults(&link_cfg);
    if (root == NULL) {
        if (err.line == 0 || err.text[0] == 0)
            abort(); /* whoever wrote it must learn where and why */
        return 0;
    }
    walk(root, "");
    jr_toml_free(root);
    return 0;
}

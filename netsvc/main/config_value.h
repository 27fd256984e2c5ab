/* SPDX-License-Identifier: BSD-3-Clause */
/* Parse functions for values that several parts of the configuration use, and the parts themselves. */
#ifndef JR_MAIN_CONFIG_VALUE_H
#define JR_MAIN_CONFIG_VALUE_H

#include "main/config.h"
#include "main/schema.h"

/* All have the signature of jr_schema_key.parse; at is a struct jr_addr, jr_config_prefix or jr_ether_addr. */
void jr_config_addr(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);
/* ADDRESS/LENGTH with host bits allowed. */
void jr_config_iface_addr(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);
/* ADDRESS/LENGTH, or an address alone: /32. Host bits must be 0. */
void jr_config_net(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);
void jr_config_mac(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);

/* [[port]], [[route]], [sysctl], [limits], [policy]: at is the struct jr_config. */
void jr_config_ports(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);
void jr_config_routes(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);
void jr_config_sysctl(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);
void jr_config_limits(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);
void jr_config_policy(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, void *at);

#define JR_CONFIG_BIND(ctx, table, where, keys, base)                                                                  \
    jr_schema_bind(ctx, table, where, keys, sizeof(keys) / sizeof((keys)[0]), base)

#endif

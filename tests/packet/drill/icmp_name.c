/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "packet.h"

struct name {
    const char *name;
    uint8_t type, code;
};

static const struct name types4[] = {
    {"echo_reply", 0, 0},    {"unreachable", 3, 0},      {"destination_unreachable", 3, 0},
    {"source_quench", 4, 0}, {"redirect", 5, 0},         {"echo_request", 8, 0},
    {"echo", 8, 0},          {"time_exceeded", 11, 0},   {"parameter_problem", 12, 0},
    {"timestamp", 13, 0},    {"timestamp_reply", 14, 0}, {"mask_request", 17, 0},
    {"mask_reply", 18, 0},
};
static const struct name types6[] = {
    {"unreachable", 1, 0},       {"destination_unreachable", 1, 0}, {"packet_too_big", 2, 0}, {"time_exceeded", 3, 0},
    {"parameter_problem", 4, 0}, {"echo_request", 128, 0},          {"echo_reply", 129, 0},
};
static const struct name codes4[] = {
    {"net_unreachable", 3, 0},
    {"host_unreachable", 3, 1},
    {"protocol_unreachable", 3, 2},
    {"proto_unreachable", 3, 2},
    {"port_unreachable", 3, 3},
    {"frag_needed", 3, 4},
    {"fragmentation_needed", 3, 4},
    {"source_route_failed", 3, 5},
    {"net_unknown", 3, 6},
    {"host_unknown", 3, 7},
    {"source_host_isolated", 3, 8},
    {"net_prohibited", 3, 9},
    {"host_prohibited", 3, 10},
    {"net_unreachable_for_tos", 3, 11},
    {"host_unreachable_for_tos", 3, 12},
    {"comm_prohibited", 3, 13},
    {"admin_prohibited", 3, 13},
    {"packet_filtered", 3, 13},
    {"host_precedence_violation", 3, 14},
    {"precedence_cutoff", 3, 15},
    {"for_net", 5, 0},
    {"for_host", 5, 1},
    {"exceeded_in_transit", 11, 0},
    {"ttl_exceeded", 11, 0},
    {"ttl_exceeded_in_transit", 11, 0},
    {"exceeded_reassembly", 11, 1},
    {"frag_reassembly_time_exceeded", 11, 1},
    {"ttl_exceeded_in_transit", 11, 0},
    {"frag_reass_exceeded", 11, 1},
    {"precedence_violation", 3, 14},
};
static const struct name codes6[] = {
    {"no_route", 1, 0},
    {"admin_prohibited", 1, 1},
    {"comm_prohibited", 1, 1},
    {"beyond_scope", 1, 2},
    {"not_neighbour", 1, 2},
    {"exceeded_hop_limit", 3, 0},
    {"exceeded_frag_time", 3, 1},
    {"header_field", 4, 0},
    {"unknown_option", 4, 2},
    {"host_unreachable", 1, 3},
    {"address_unreachable", 1, 3},
    {"port_unreachable", 1, 4},
    {"exceeded_in_transit", 3, 0},
    {"ttl_exceeded", 3, 0},
    {"ttl_exceeded_in_transit", 3, 0},
    {"exceeded_reassembly", 3, 1},
    {"unknown_next_header", 4, 1},
    {"proto_unreachable", 4, 1},
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* "type_13" or "code_5": any number. */
static bool numbered(const char *name, const char *prefix, uint8_t *to)
{
    char *end;
    unsigned long v;

    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return false;
    v = strtoul(name + strlen(prefix), &end, 10);
    *to = (uint8_t)v;
    return *end == 0 && v < 256;
}

bool icmp_type_named(const char *name, bool v6, uint8_t *type)
{
    const struct name *tab = v6 ? types6 : types4;
    const size_t n = v6 ? COUNT(types6) : COUNT(types4);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(tab[i].name, name) == 0) {
            *type = tab[i].type;
            return true;
        }
    }
    return numbered(name, "type_", type);
}

bool icmp_code_named(uint8_t type, const char *name, bool v6, uint8_t *code)
{
    const struct name *tab = v6 ? codes6 : codes4;
    const size_t n = v6 ? COUNT(codes6) : COUNT(codes4);

    for (size_t i = 0; i < n; i++) {
        if (tab[i].type == type && strcmp(tab[i].name, name) == 0) {
            *code = tab[i].code;
            return true;
        }
    }
    return numbered(name, "code_", code);
}

const char *icmp_type_name(uint8_t type, bool v6)
{
    const struct name *tab = v6 ? types6 : types4;

    for (size_t i = 0; i < (v6 ? COUNT(types6) : COUNT(types4)); i++)
        if (tab[i].type == type)
            return tab[i].name;
    return "(unknown type)";
}

const char *icmp_code_name(uint8_t type, uint8_t code, bool v6)
{
    const struct name *tab = v6 ? codes6 : codes4;

    for (size_t i = 0; i < (v6 ? COUNT(codes6) : COUNT(codes4)); i++)
        if (tab[i].type == type && tab[i].code == code)
            return tab[i].name;
    return "";
}

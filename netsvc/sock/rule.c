/* SPDX-License-Identifier: BSD-3-Clause */
#include "sock/rule.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct jr_rules {
    size_t n;
    uint32_t default_route;
    struct jr_rule rule[];
};

struct jr_rules *jr_rules_new(const struct jr_rule *rules, size_t n, uint32_t default_route)
{
    struct jr_rules *r = calloc(1, sizeof *r + n * sizeof r->rule[0]);

    if (!r)
        return NULL;
    r->default_route = default_route;
    for (; r->n < n; r->n++) {
        struct jr_rule *to = &r->rule[r->n];
        *to = rules[r->n];
        if (to->program && !(to->program = strdup(to->program))) {
            jr_rules_free(r);
            return NULL;
        }
    }
    return r;
}

void jr_rules_free(struct jr_rules *r)
{
    for (size_t i = 0; r && i < r->n; i++)
        free((char *)r->rule[i].program);
    free(r);
}

static bool program_matches(const struct jr_rule *r, const struct jr_rule_subject *who)
{
    if (!r->program)
        return true;
    if (strchr(r->program, '/'))
        return fnmatch(r->program, who->exe, 0) == 0;
    const char *slash = strrchr(who->exe, '/');
    return fnmatch(r->program, slash ? slash + 1 : who->comm, 0) == 0;
}

static bool subject_matches(const struct jr_rule *r, const struct jr_rule_subject *who)
{
    return (r->uid < 0 || r->uid == (int64_t)who->uid) && program_matches(r, who);
}

static bool prefix_matches(struct jr_addr prefix, uint32_t plen, struct jr_addr a)
{
    const uint32_t whole = plen / 8, rest = plen % 8;

    if (memcmp(prefix.b, a.b, whole) != 0)
        return false;
    return rest == 0 || ((prefix.b[whole] ^ a.b[whole]) >> (8 - rest)) == 0;
}

static bool socket_matches(const struct jr_rule *r, uint32_t direction, uint8_t proto, const struct jr_endpoint *ep)
{
    if ((r->directions && !(r->directions & direction)) || (r->proto && r->proto != proto))
        return false;
    if ((r->port_first | r->port_last) && (ep->port < r->port_first || ep->port > r->port_last))
        return false;
    return r->plen == 0 || prefix_matches(r->prefix, r->plen, ep->addr);
}

uint32_t jr_rules_route(const struct jr_rules *rules, const struct jr_rule_subject *who, uint32_t direction,
                        uint8_t proto, const struct jr_endpoint *ep)
{
    for (size_t i = 0; i < rules->n; i++)
        if (socket_matches(&rules->rule[i], direction, proto, ep) && subject_matches(&rules->rule[i], who))
            return rules->rule[i].route;
    return rules->default_route;
}

static bool is_about_program_only(const struct jr_rule *r)
{
    return !r->directions && !r->proto && !(r->port_first | r->port_last) && !r->plen;
}

bool jr_rules_may_attach(const struct jr_rules *rules, const struct jr_rule_subject *who)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct jr_rule *r = &rules->rule[i];
        if (!subject_matches(r, who))
            continue;
        if (r->route != 0 /* JR_ROUTE_KERNEL */)
            return true;
        if (is_about_program_only(r))
            return false;
    }
    return rules->default_route != 0;
}

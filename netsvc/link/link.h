/* SPDX-License-Identifier: BSD-3-Clause */
/* What an administrator sets of the link layer. */
#ifndef JR_LINK_H
#define JR_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "jr_sysctl_fields.h"

/* The knobs are codegen/spec/sysctl/link.yaml's. */
struct jr_link_config {
    JR_SYSCTL_LINK_FIELDS;
};
void jr_link_config_defaults(struct jr_link_config *cfg);

#endif

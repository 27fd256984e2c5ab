/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sparse sealed memfd and the service's mapping of it. Sealed against growing and shrinking, so that no program can
 * make the service fault; a private page in front carries the robust list's node.
 */
#ifndef JR_SHM_REGION_H
#define JR_SHM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jr_region {
    uint8_t *base;
    size_t map_size; /* what the service maps, from the start of the file */
    int fd;
    uint32_t *owner; /* the robust word, or NULL */
};

enum { JR_REGION_READ_ONLY = 1u << 0 /* nobody else will ever map or write it for writing */ };
#define JR_REGION_NO_OWNER UINT32_MAX

/* owner_off: where the robust word lies, in the first page. 0 or a negative errno. */
int jr_region_new(struct jr_region *r, const char *name, uint64_t file_size, size_t map_size, uint32_t owner_off,
                  uint32_t flags);
/* dead: marks it dead first. */
void jr_region_free(struct jr_region *r, bool dead);
/* The owner word says that the service is gone, and everybody who sleeps on it wakes; the mapping stays. */
void jr_region_mark_dead(struct jr_region *r);
/* Gives the pages that lie entirely inside [off, off + len) back to the system; they read as zero afterwards. */
void jr_region_punch(struct jr_region *r, size_t off, size_t len);

#endif

/* libc's internal calls that are no cancellation points, to the client.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JR_NOCANCEL_H
#define _JR_NOCANCEL_H 1

#include <jr-hook.h>

#if JR_HOOKED
extern int __jr_close_nocancel (int fd) attribute_hidden;
extern ssize_t __jr_read_nocancel (int fd, void *buf, size_t n)
  attribute_hidden;
extern ssize_t __jr_write_nocancel (int fd, const void *buf, size_t n)
  attribute_hidden;
#endif

#endif /* jr-nocancel.h */

/* What a socket looks like as a file: the handle's FIFO is not to show.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"
#include <sys/sysmacros.h>

static bool
is_socket (int fd)
{
  return jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_SOCKET;
}

/* The device that all sockets are on; the control connection is one.  */
static bool
socket_device (dev_t *dev)
{
  struct stat st;
  int ctl = ld_relaxed (&__jr.ctl_fd);
  if (ctl < 0 || jr_sys_fstat (ctl, &st) < 0 || !S_ISSOCK (st.st_mode))
    return false;
  *dev = st.st_dev;
  return true;
}

/* A handle is for the service alone to open; a socket's mode is this, unless
   somebody changed it.  */
static unsigned int
socket_mode (unsigned int mode)
{
  return S_IFSOCK | ((mode & 07777) == 0600 ? 0777 : mode & 07777);
}

void
__jr_fstat_fix (int fd, struct stat *st)
{
  if (!is_socket (fd))
    return;
  socket_device (&st->st_dev);
  st->st_mode = socket_mode (st->st_mode);
  st->st_size = 0;
}

void
__jr_statx_fix (int fd, struct statx *sx)
{
  dev_t dev;
  if (!is_socket (fd))
    return;
  sx->stx_mode = socket_mode (sx->stx_mode);
  sx->stx_size = 0;
  if (socket_device (&dev))
    {
      sx->stx_dev_major = major (dev);
      sx->stx_dev_minor = minor (dev);
    }
}

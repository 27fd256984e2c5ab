/* fexecve: as execveat of the fd itself, with the checks that fexecve makes.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <jr-loader.h>

#if JR_HOOKED
int
fexecve (int fd, char *const argv[], char *const envp[])
{
  if (fd < 0 || argv == NULL || envp == NULL)
    {
      __set_errno (EINVAL);
      return -1;
    }
  return execveat (fd, "", argv, envp, AT_EMPTY_PATH);
}
#else
# include <sysdeps/unix/sysv/linux/fexecve.c>
#endif

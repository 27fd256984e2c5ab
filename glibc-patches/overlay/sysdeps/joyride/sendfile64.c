/* sendfile.c has both names; glibc 2.41 would define them here again.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

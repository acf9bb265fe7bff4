/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sanitized.h - tells whether this build has a sanitizer, which makes tests 3 to 8 times
 * slower, keeps freed memory, and takes terabytes of address space. */
#ifndef RV_TEST_SANITIZED_H
#define RV_TEST_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

#endif

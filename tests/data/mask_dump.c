/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mask_dump FILE SINGLE HIGHEST PUBLISHED: prints "height width" and the object numbers
 * of a mask, from the C reader. Exit status 2: the mask is refused. */
#include <stdio.h>
#include <stdlib.h>

#include <pictures.h>

int main(int argc, char **argv)
{
    struct mask_rules rules;
    struct mask_facts facts;
    struct pic_error error;
    struct picture mask;

    if (argc != 5)
        return 1;
    rules = (struct mask_rules){(unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]),
                                atoi(argv[4]) != 0};
    if (pic_read_mask(&mask, argv[1], &rules, &facts, &error)) {
        fprintf(stderr, "%s\n", error.words);
        return 2;
    }
    printf("%d %d\n", mask.height, mask.width);
    fwrite(mask.pixels, 1, (size_t)mask.width * (size_t)mask.height, stdout);
    picture_free(&mask);
    return 0;
}

#include <stdio.h>

char *get_message();

int main() {
    printf("prog1: %s", get_message());
    return 0;
}

/* Two threads call what is a race in the copy of the library that tests/races.sh builds. */
#include <pthread.h>
#include <stddef.h>

void sio_planted_race(void);

static void *body(void *unused)
{
    int i;
    for (i = 0; i < 1000; i++) sio_planted_race();
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    int i;
    for (i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, body, NULL) != 0) return 1;
    for (i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}

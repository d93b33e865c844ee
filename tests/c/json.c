/* The functions for JSON text. */
#include "check.h"

#include <stdint.h>

/* The value that was found, as text of its own. */
static const char *found(const char *json, const char *pointer, int type)
{
    static char text[1000];
    const char *value = "not touched";
    size_t len = 77;
    CHECK_INT(type, sio_json_find(json, pointer, &value, &len));
    if (type == SIO_JSON_NONE) {
        CHECK(value == NULL);
        CHECK_INT(0, len);
        return NULL;
    }
    CHECK(value >= json && value + len <= json + strlen(json));
    CHECK_INT(type, sio_json_find(json, pointer, NULL, NULL));
    snprintf(text, sizeof text, "%.*s", (int)len, value);
    return text;
}

static void find_follows_a_json_pointer(void)
{
    const char *json = " [1, {\"user\": {\"name\": \"Ann\", \"a/b\": [true, false, null], "
                       "\"m~n\": -1.5e3, \"\": {}}}, []] and whatever follows";

    CHECK_TEXT("1", found(json, "/0", SIO_JSON_NUMBER));
    CHECK_TEXT("\"Ann\"", found(json, "/1/user/name", SIO_JSON_STRING));
    CHECK_TEXT("true", found(json, "/1/user/a~1b/0", SIO_JSON_TRUE));
    CHECK_TEXT("false", found(json, "/1/user/a~1b/1", SIO_JSON_FALSE));
    CHECK_TEXT("null", found(json, "/1/user/a~1b/2", SIO_JSON_NULL));
    CHECK_TEXT("-1.5e3", found(json, "/1/user/m~0n", SIO_JSON_NUMBER));
    CHECK_TEXT("{}", found(json, "/1/user/", SIO_JSON_OBJECT));
    CHECK_TEXT("[]", found(json, "/2", SIO_JSON_ARRAY));
    CHECK_TEXT("[]", found("[]", "", SIO_JSON_ARRAY));
    CHECK_TEXT("\"x\"", found("\"x\"", "", SIO_JSON_STRING));
}

static void find_finds_nothing_where_nothing_is(void)
{
    const char *json = "[1, {\"a\": 2}]";
    const char *pointers[] = {"/2", "/-", "/00", "/01", "/-1", "/1/b", "/1/a/x", "/0/0", "0", "a", "/~",
                              "/~2", "/1/~", "/18446744073709551616", "/\xff"};
    const char *no_json[] = {"", " ", "[", "[1", "[1,", "[1,]", "{\"a\":}", "nul", "'a'", "[NaN]", "[01]"};
    size_t i;

    for (i = 0; i < sizeof pointers / sizeof *pointers; i++) found(json, pointers[i], SIO_JSON_NONE);
    for (i = 0; i < sizeof no_json / sizeof *no_json; i++) found(no_json[i], "", SIO_JSON_NONE);
    found("[1,,2]", "/2", SIO_JSON_NONE);
    CHECK_INT(SIO_JSON_NONE, sio_json_find(NULL, "", NULL, NULL));
    CHECK_INT(SIO_JSON_NONE, sio_json_find("[]", NULL, NULL, NULL));
}

static void a_number_can_be_read_where_it_stands(void)
{
    const char *value;
    CHECK_INT(SIO_JSON_NUMBER, sio_json_find("[0.5,25]", "/0", &value, NULL));
    CHECK(strtod(value, NULL) == 0.5);
    CHECK_INT(SIO_JSON_NUMBER, sio_json_find("[0.5,25]", "/1", &value, NULL));
    CHECK_INT(25, strtoll(value, NULL, 10));
}

static void names_are_compared_without_escapes_and_the_first_counts(void)
{
    CHECK_TEXT("1", found("{\"\\u0061\":1,\"a\":2}", "/a", SIO_JSON_NUMBER));
    CHECK_TEXT("1", found("{\"a\":1,\"a\":2}", "/a", SIO_JSON_NUMBER));
    CHECK_TEXT("3", found("{\"caf\\u00e9\":3}", "/caf\xc3\xa9", SIO_JSON_NUMBER));
}

static void what_follows_the_value_is_not_read(void)
{
    CHECK_TEXT("1", found("[1,]", "/0", SIO_JSON_NUMBER));
    CHECK_TEXT("[2]", found("{\"a\":[2],\"b\":nonsense", "/a", SIO_JSON_ARRAY));
}

static void next_steps_through_an_array(void)
{
    const char *json = "[ 1 , \"two\" , [3, 3] , {\"four\":4} ,null ]";
    const char *expected[] = {"1", "\"two\"", "[3, 3]", "{\"four\":4}", "null"};
    const int types[] = {SIO_JSON_NUMBER, SIO_JSON_STRING, SIO_JSON_ARRAY, SIO_JSON_OBJECT, SIO_JSON_NULL};
    const char *cursor = json, *key, *value;
    size_t key_len, len;
    int i;

    for (i = 0; i < 5; i++) {
        key = "not touched";
        key_len = 77;
        CHECK_INT(types[i], sio_json_next(&cursor, &key, &key_len, &value, &len));
        CHECK(key == NULL);
        CHECK_INT(0, key_len);
        CHECK_INT(strlen(expected[i]), len);
        CHECK(strncmp(expected[i], value, len) == 0);
        CHECK(cursor > json && cursor < json + strlen(json));
    }
    for (i = 0; i < 3; i++) {
        CHECK_INT(SIO_JSON_NONE, sio_json_next(&cursor, &key, &key_len, &value, &len));
        CHECK(value == NULL);
        CHECK_INT(0, len);
    }
}

static void next_steps_through_an_object(void)
{
    const char *json = "{\"a\":\"A\", \"b\\\"\" : [\"x\"], \"\":\"\"}";
    const char *keys[] = {"\"a\"", "\"b\\\"\"", "\"\""};
    const char *values[] = {"\"A\"", "[\"x\"]", "\"\""};
    const char *cursor = json, *key, *value;
    size_t key_len, len;
    int i;

    for (i = 0; i < 3; i++) {
        CHECK(sio_json_next(&cursor, &key, &key_len, &value, &len) != SIO_JSON_NONE);
        CHECK_INT(strlen(keys[i]), key_len);
        CHECK(strncmp(keys[i], key, key_len) == 0);
        CHECK_INT(strlen(values[i]), len);
        CHECK(strncmp(values[i], value, len) == 0);
    }
    CHECK_INT(SIO_JSON_NONE, sio_json_next(&cursor, &key, &key_len, &value, &len));
}

static void next_stops_where_there_is_nothing_to_step_through(void)
{
    const char *texts[] = {"", "1", "\"x\"", "[]", "{}", "[ ]", "[,1]", "{1:2}", "{\"a\" 1}", "[1 2", "]"};
    const char *cursor;
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        cursor = texts[i];
        CHECK_INT(SIO_JSON_NONE, sio_json_next(&cursor, NULL, NULL, NULL, NULL));
    }
    CHECK_INT(SIO_JSON_NONE, sio_json_next(NULL, NULL, NULL, NULL, NULL));
    cursor = NULL;
    CHECK_INT(SIO_JSON_NONE, sio_json_next(&cursor, NULL, NULL, NULL, NULL));
}

static void next_needs_no_outputs(void)
{
    const char *cursor = "[1,2,3]";
    int count = 0;
    while (sio_json_next(&cursor, NULL, NULL, NULL, NULL) != SIO_JSON_NONE) count++;
    CHECK_INT(3, count);
}

static void an_element_found_can_be_stepped_through_in_turn(void)
{
    const char *value, *cursor, *inner;
    size_t len;
    int sum = 0;

    CHECK_INT(SIO_JSON_ARRAY, sio_json_find("[0,[[1,2],[3]],9]", "/1", &cursor, NULL));
    while (sio_json_next(&cursor, NULL, NULL, &inner, NULL) == SIO_JSON_ARRAY)
        while (sio_json_next(&inner, NULL, NULL, &value, &len) == SIO_JSON_NUMBER) sum += atoi(value);
    CHECK_INT(6, sum);
}

/* With a strlen() of what is left for each question this would take minutes. */
static void a_walk_through_a_long_text_stays_linear(void)
{
    int count = few_or_many(20000, 400000), i, seen = 0, sum = 0;
    char *json = malloc((size_t)count * 12 + 10), *end = json;
    const char *cursor = json, *value, *inner;
    size_t len;

    for (i = 0; i < count; i++) end += sprintf(end, "%c{\"n\":%d}", i == 0 ? '[' : ',', i % 10);
    strcpy(end, "]");
    CHECK_TIME(0, 2000, {
        while (sio_json_next(&cursor, NULL, NULL, &value, &len) == SIO_JSON_OBJECT) {
            CHECK_INT(SIO_JSON_NUMBER, sio_json_find(value, "/n", &inner, NULL));
            seen++;
            sum += atoi(inner);
        }
    });
    CHECK_INT(count, seen);
    CHECK_INT(count / 10 * 45, sum);
    free(json);
}

/* Values longer than what is looked at first. */
static void long_values_are_found_whole(void)
{
    static char json[70000], text[70000];
    const size_t lengths[] = {250, 253, 254, 255, 256, 257, 511, 512, 513, 60000};
    const char *value, *cursor;
    size_t i, len;

    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = lengths[i];
        memset(json, 'x', sizeof json);
        memcpy(json, "[\"", 2);
        strcpy(json + n, "\",12]");
        CHECK_INT(SIO_JSON_STRING, sio_json_find(json, "/0", &value, &len));
        CHECK_INT(n, len);
        CHECK_INT(n - 2, sio_json_unquote(value, text, sizeof text));
        CHECK_INT(n - 2, strspn(text, "x"));
        CHECK_INT(SIO_JSON_NUMBER, sio_json_find(json, "/1", &value, &len));
        CHECK_INT(2, len);
        CHECK_INT(SIO_JSON_ARRAY, sio_json_find(json, "", &value, &len));
        CHECK_INT(strlen(json), len);
        cursor = json;
        CHECK_INT(SIO_JSON_STRING, sio_json_next(&cursor, NULL, NULL, NULL, &len));
        CHECK_INT(n, len);
        CHECK_INT(SIO_JSON_NUMBER, sio_json_next(&cursor, NULL, NULL, NULL, &len));
        CHECK_INT(2, len);
    }
}

static void deep_texts_are_walked_without_recursion(void)
{
    size_t depth = 200000;
    char *json = malloc(2 * depth + 1);
    const char *value;
    size_t len;

    memset(json, '[', depth);
    memset(json + depth, ']', depth);
    json[2 * depth] = 0;
    CHECK_INT(SIO_JSON_ARRAY, sio_json_find(json, "", &value, &len));
    CHECK_INT(2 * depth, len);
    json[2 * depth - 1] = 0;
    CHECK_INT(SIO_JSON_NONE, sio_json_find(json, "", &value, &len));
    free(json);
}

static void quote_makes_a_json_string(void)
{
    char buf[100];
    CHECK_INT(11, sio_json_quote("say \"h\"", buf, sizeof buf));
    CHECK_TEXT("\"say \\\"h\\\"\"", buf);
    sio_json_quote("a\\b\n\t\x01 caf\xc3\xa9 \xf0\x9f\x98\x80", buf, sizeof buf);
    CHECK_TEXT("\"a\\\\b\\n\\t\\u0001 caf\xc3\xa9 \xf0\x9f\x98\x80\"", buf);
    CHECK_INT(2, sio_json_quote("", buf, sizeof buf));
    CHECK_TEXT("\"\"", buf);
}

static void of_a_quoted_string_that_does_not_fit_nothing_is_written_but_a_nul(void)
{
    char buf[8] = "zzzzzzz";
    CHECK_INT(5, sio_json_quote("abc", buf, 5));
    CHECK(memcmp(buf, "\0zzzzzz", 8) == 0);
    CHECK_INT(5, sio_json_quote("abc", buf, 6));
    CHECK_TEXT("\"abc\"", buf);
    CHECK_INT(5, sio_json_quote("abc", NULL, 0));
    CHECK_INT(5, sio_json_quote("abc", NULL, 10));
}

static void quote_refuses_what_is_no_text(void)
{
    char buf[10] = "zzz";
    CHECK(sio_json_quote(NULL, buf, sizeof buf) == SIZE_MAX);
    CHECK_TEXT("", buf);
    strcpy(buf, "zzz");
    CHECK(sio_json_quote("a\xff", buf, sizeof buf) == SIZE_MAX);
    CHECK_TEXT("", buf);
}

static void unquote_resolves_escapes(void)
{
    char buf[100];
    CHECK_INT(3, sio_json_unquote("\"abc\", and more", buf, sizeof buf));
    CHECK_TEXT("abc", buf);
    sio_json_unquote("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"", buf, sizeof buf);
    CHECK_TEXT("\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80", buf);
    sio_json_unquote("\"[\\ud800]\"", buf, sizeof buf);
    CHECK_TEXT("[\xef\xbf\xbd]", buf);
    CHECK_INT(3, sio_json_unquote("\"a\\u0000b\"", buf, sizeof buf));
    CHECK(memcmp(buf, "a\0b", 4) == 0);
}

static void unquoted_text_is_cut_at_a_character(void)
{
    char buf[8];
    CHECK_INT(5, sio_json_unquote("\"caf\\u00e9\"", buf, 5));
    CHECK_TEXT("caf", buf);
    CHECK_INT(5, sio_json_unquote("\"caf\\u00e9\"", buf, 6));
    CHECK_TEXT("caf\xc3\xa9", buf);
    CHECK_INT(5, sio_json_unquote("\"caf\\u00e9\"", NULL, 0));
}

static void unquote_refuses_what_is_no_string(void)
{
    const char *values[] = {"", "abc", "1", "\"abc", "\"\\x\"", "\"\\u12\"", "\"a\nb\"", " \"a\"",
                            "\"\xff\""};
    char buf[10];
    size_t i;

    for (i = 0; i < sizeof values / sizeof *values; i++) {
        strcpy(buf, "zzz");
        CHECK(sio_json_unquote(values[i], buf, sizeof buf) == SIZE_MAX);
        CHECK_TEXT("", buf);
    }
    CHECK(sio_json_unquote(NULL, buf, sizeof buf) == SIZE_MAX);
}

static void the_placeholder_macro_is_what_it_says(void)
{
    CHECK_TEXT("[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":12}]",
               "[" SIO_PLACEHOLDER(0) "," SIO_PLACEHOLDER(12) "]");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(find_follows_a_json_pointer);
    RUN(find_finds_nothing_where_nothing_is);
    RUN(a_number_can_be_read_where_it_stands);
    RUN(names_are_compared_without_escapes_and_the_first_counts);
    RUN(what_follows_the_value_is_not_read);
    RUN(next_steps_through_an_array);
    RUN(next_steps_through_an_object);
    RUN(next_stops_where_there_is_nothing_to_step_through);
    RUN(next_needs_no_outputs);
    RUN(an_element_found_can_be_stepped_through_in_turn);
    RUN(a_walk_through_a_long_text_stays_linear);
    RUN(long_values_are_found_whole);
    RUN(deep_texts_are_walked_without_recursion);
    RUN(quote_makes_a_json_string);
    RUN(of_a_quoted_string_that_does_not_fit_nothing_is_written_but_a_nul);
    RUN(quote_refuses_what_is_no_text);
    RUN(unquote_resolves_escapes);
    RUN(unquoted_text_is_cut_at_a_character);
    RUN(unquote_refuses_what_is_no_string);
    RUN(the_placeholder_macro_is_what_it_says);
    return 0;
}

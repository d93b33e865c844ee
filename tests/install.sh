#!/bin/sh
# What `make install` installs, and that programs outside the tree build with it, shared and static, in
# C and C++, and talk with a real server. The library must have been built before: `make`.
set -eu
. "$(dirname "$0")/support.sh"

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$top/Cargo.toml" | head -n 1)
major=${version%%.*}
prefix=$work/prefix
program=$work/outside/program
mkdir "$work/outside"

cat >"$program.c" <<'END'
#include <sio.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char text[512];
    sio_message *reply = NULL;
    sio_client *client = sio_client_new();
    int status = sio_client_connect(client, argc > 1 ? argv[1] : "", 5000);
    if (status == SIO_OK)
        status = sio_client_call(client, "add", "[2, 3]", NULL, 0, 5000, &reply);
    if (status == SIO_OK)
        printf("%s %s %d\n", sio_version(), sio_message_args(reply, NULL),
               sio_version_number() == SIO_VERSION_NUMBER);
    sio_client_error(client, text, sizeof text);
    fputs(text, stderr);
    sio_message_free(reply);
    if (status == SIO_OK)
        status = sio_client_disconnect(client, 5000);
    sio_client_free(client);
    return status == SIO_OK ? 0 : 1;
}
END
cp "$program.c" "$program.cpp"
said="$version [5] 1"

# sio_flags ARGUMENT...: what pkg-config answers for the installation in `folder`.
sio_flags() { PKG_CONFIG_PATH=$folder/pkgconfig pkg-config "$@" sio; }

# build SOURCE FLAGS...: compiles and links a program with the strictest of warnings.
build() {
    source=$1
    shift
    case $source in
    *.cpp) compiler="c++ -std=c++14" ;;
    *) compiler="cc -std=c99 -Wstrict-prototypes" ;;
    esac
    rm -f "$program"
    # Flags are words to be split.
    # shellcheck disable=SC2086
    (cd "$work/outside" && $compiler -Wall -Wextra -Wpedantic -Werror -o "$program" "$source" "$@")
}

# talks [FOLDER]: the program runs against the server, with the loader looking into the folder.
talks() { same "$said" "$(LD_LIBRARY_PATH=${1-} "$program" "$url")"; }

needs_library() { readelf -d "$program" | grep -q "NEEDED.*\[libsio\.so\.$major\]"; }
needs_no_library() { ! readelf -d "$program" | grep -q libsio; }
files_under() { (cd "$1" && find . ! -type d | sort | tr '\n' ' '); }
mode_of() { ls -l "$1" | cut -c 1-10; }

start_node_server

folder=$prefix/lib
check "make install into a PREFIX, without cargo" install_library PREFIX="$prefix"
check "what is installed, and nothing else" same \
    "./include/sio.h ./lib/libsio.a ./lib/libsio.so ./lib/libsio.so.$major ./lib/libsio.so.$version ./lib/pkgconfig/sio.pc " \
    "$(files_under "$prefix")"
check "libsio.so links to libsio.so.$major" same "libsio.so.$major" "$(readlink "$folder/libsio.so")"
check "libsio.so.$major links to libsio.so.$version" same "libsio.so.$version" \
    "$(readlink "$folder/libsio.so.$major")"
check "the SONAME is libsio.so.$major" has "$(readelf -d "$folder/libsio.so")" "[libsio.so.$major]"
check "the header is for all to read" same "-rw-r--r--" "$(mode_of "$prefix/include/sio.h")"
check "sio.pc is for all to read" same "-rw-r--r--" "$(mode_of "$folder/pkgconfig/sio.pc")"
check "the library is for all to read" same "-rwxr-xr-x" "$(mode_of "$folder/libsio.so.$version")"
check "pkg-config knows the version" same "$version" "$(sio_flags --modversion)"
check "pkg-config finds sio.pc moved with its prefix" has \
    "$(sio_flags --define-variable=prefix=/elsewhere --cflags --libs)" "-L/elsewhere/lib -lsio"

# Flags are words to be split.
# shellcheck disable=SC2046
for source in program.c program.cpp; do
    check "$source builds with the shared library" build $source $(sio_flags --cflags --libs)
    check "$source needs libsio.so.$major" needs_library
    check "$source with the shared library talks" talks "$folder"
    check "$source builds with the static library beside the shared one" \
        build $source $(sio_flags --cflags) "$folder/libsio.a" \
        $(sio_flags --libs --static | sed 's/-lsio//')
    check "$source with the static library needs no shared one" needs_no_library
    check "$source with the static library talks" talks
    # glibc warns of getaddrinfo() in a program that has no shared library at all.
    check "$source builds as a program without shared libraries" \
        build $source -Wno-error -static $(sio_flags --cflags --libs --static)
    check "$source without shared libraries talks" talks
done

check "make install over itself" install_library PREFIX="$prefix"
check "make uninstall" "$MAKE" -C "$top" --no-print-directory uninstall PREFIX="$prefix"
check "make uninstall leaves nothing" same "" "$(files_under "$prefix")"

stage=$work/stage
staged="DESTDIR=$stage PREFIX=/opt/sio LIBDIR=/opt/sio/lib/arch INCLUDEDIR=/opt/headers"
# The variables are words to be split.
# shellcheck disable=SC2086
check "make install with DESTDIR, LIBDIR and INCLUDEDIR" install_library $staged
check "what is installed there, and nothing else" same \
    "./opt/headers/sio.h ./opt/sio/lib/arch/libsio.a ./opt/sio/lib/arch/libsio.so ./opt/sio/lib/arch/libsio.so.$major ./opt/sio/lib/arch/libsio.so.$version ./opt/sio/lib/arch/pkgconfig/sio.pc " \
    "$(files_under "$stage")"
folder=$stage/opt/sio/lib/arch
check "sio.pc does not know DESTDIR" same "-I/opt/headers -L/opt/sio/lib/arch -lsio " \
    "$(sio_flags --cflags --libs | tr -s ' ' | sed 's/ *$/ /')"
export PKG_CONFIG_SYSROOT_DIR="$stage"
# shellcheck disable=SC2046
check "a program builds with the shared library from DESTDIR" \
    build program.c $(sio_flags --cflags --libs)
check "it talks" talks "$folder"
rm "$folder"/libsio.so*
# shellcheck disable=SC2046
check "a program builds by pkg-config --static where only the static library is" \
    build program.c $(sio_flags --cflags --libs --static)
check "it needs no shared library" needs_no_library
check "it talks" talks
# shellcheck disable=SC2086
check "make uninstall with the same variables" "$MAKE" -C "$top" --no-print-directory uninstall $staged
check "it leaves nothing" same "" "$(files_under "$stage")"

refused() {
    if install_library "$@" >"$work/refused" 2>&1; then return 1; fi
    has "$(cat "$work/refused")" "must be absolute"
}
check "a PREFIX that is not absolute is refused" refused PREFIX=somewhere

# sio, a Socket.IO client as a C library. `make help` lists the targets.
#
# Needed are GNU make, cargo, a C compiler and `install`; `make install` after `make` needs no cargo.

CARGO ?= cargo
INSTALL ?= install
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
# Where `make server` listens.
PORT ?= 5000
# What `make python-wheel` runs, hands on to pip, and where the wheel goes.
PYTHON ?= python3
PIP_OPTIONS ?=
WHEELS ?= $(TARGET_DIR)/python
# Which of the long tests `make soak` runs, such as "restarts node runs=20"; all, if it is empty.
PART ?=
# How many rounds `make bench` takes, and which of its cells; all, if it is empty.
ROUNDS ?= 5
CELLS ?=

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
MAJOR := $(firstword $(subst ., ,$(VERSION)))
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

ifeq ($(shell uname -s),Darwin)
CARGO_SHARED := libsio.dylib
SHARED := libsio.$(VERSION).dylib
SHARED_MAJOR := libsio.$(MAJOR).dylib
SHARED_LINK := libsio.dylib
else
CARGO_SHARED := libsio.so
SHARED := libsio.so.$(VERSION)
SHARED_MAJOR := libsio.so.$(MAJOR)
SHARED_LINK := libsio.so
endif
STATIC := libsio.a

# The library that ships is built apart, as nothing but a shared and a static library: together with
# the Rust library, which tests and examples link, cargo would build it without link-time
# optimization. `target/library` then holds it under the names that it is installed by.
LIBRARY := $(TARGET_DIR)/library
CARGO_LIBRARY := $(LIBRARY)/cargo
# For the loader, which knows nothing of the folder that make runs in.
ABSOLUTE_LIBRARY := $(if $(filter /%,$(LIBRARY)),,$(CURDIR)/)$(LIBRARY)
NATIVE_LIBS := $(CARGO_LIBRARY)/native-static-libs
BUILT := $(LIBRARY)/built
SOURCES := Cargo.toml Cargo.lock $(wildcard build.rs) $(shell find src -name '*.rs')

DEMO_SERVER := $(TARGET_DIR)/debug/examples/demo_server
DEMO := $(LIBRARY)/demo

.PHONY: all help demo server test setup soak bench gate gate-figures install uninstall \
    python-wheel header fmt clippy clean need-cargo
.NOTPARALLEL:

all: need-cargo
	@echo "sio: building the library, version $(VERSION); from nothing that takes a minute or two"
	@mkdir -p $(CARGO_LIBRARY)
	@$(CARGO) rustc --release --lib --crate-type cdylib,staticlib --target-dir $(CARGO_LIBRARY) \
	    -- --print native-static-libs=$(NATIVE_LIBS)
	@$(INSTALL) -m 755 $(CARGO_LIBRARY)/release/$(CARGO_SHARED) $(LIBRARY)/$(SHARED)
	@$(INSTALL) -m 644 $(CARGO_LIBRARY)/release/$(STATIC) $(LIBRARY)/$(STATIC)
	@ln -sf $(SHARED) $(LIBRARY)/$(SHARED_MAJOR)
	@ln -sf $(SHARED_MAJOR) $(LIBRARY)/$(SHARED_LINK)
	@touch $(BUILT)
	@echo "sio: $(SHARED) and $(STATIC) are in $(LIBRARY)"

help:
	@echo "make            builds the library, shared and static, into $(LIBRARY)"
	@echo "make demo       builds all and shows a C program at work with a Socket.IO server"
	@echo "make server     runs that server on port $(PORT) (PORT=), for the programs in examples-c"
	@echo "make test       sets up what the tests need and runs all of them"
	@echo "make setup      only sets up what the tests need"
	@echo "make soak       runs the long tests, which are no part of make test (PART= for some of them)"
	@echo "make gate       measures what a message costs and compares that with benches/gate/figures.txt"
	@echo "make gate-figures  writes those figures anew, for a change that costs or gains on purpose"
	@echo "make bench      measures the library beside other clients, in 25 minutes (ROUNDS= CELLS= for less)"
	@echo "make install    installs under $(PREFIX) (PREFIX= LIBDIR= INCLUDEDIR= DESTDIR=)"
	@echo "make uninstall  removes what make install with the same variables installed"
	@echo "make python-wheel  builds a Python wheel with the library in it, into $(WHEELS) (PYTHON= WHEELS=)"
	@echo "make header     writes include/sio.h anew from the doc comments in src/ffi"
	@echo "make fmt        formats the Rust sources; make clippy checks them"
	@echo "make clean      removes what was built"

demo: all
	@echo "sio: building the demo server; from nothing that takes a minute or two"
	@$(CARGO) build --example demo_server
	@echo "sio: building the demo, a C program"
	@$(CC) -std=c99 -Wall -Wextra -Wpedantic -O2 $(CFLAGS) -Iinclude -o $(DEMO) examples-c/demo.c \
	    $(LDFLAGS) -L$(LIBRARY) -lsio "-Wl,-rpath,$(ABSOLUTE_LIBRARY)"
	@echo
	@sh examples-c/demo.sh $(DEMO_SERVER) $(DEMO)

server: need-cargo
	@echo "sio: building the demo server; from nothing that takes a minute or two"
	@$(CARGO) build --example demo_server
	@$(DEMO_SERVER) --port $(PORT)

setup:
	@sh tests/setup.sh

test:
	@sh tests/all.sh

soak: need-cargo
	@echo "sio: building the long tests"
	@$(CARGO) build --release --example test_server --example soak
	@$(CARGO) run --release --example soak -- $(PART)

# Always what is in the sources now: cargo knows best whether the library is that.
gate: all
	@sh tests/gate.sh

gate-figures: all
	@$(PYTHON) benches/gate/gate.py renew

bench: need-cargo
	@sh benches/setup.sh
	@$(PYTHON) benches/run.py --rounds $(ROUNDS) $(if $(CELLS),--cells $(foreach cell,$(CELLS),'$(cell)'))

# An older library than the sources is never installed, but cargo is not needed if there is none.
$(BUILT): $(SOURCES)
	@$(MAKE) --no-print-directory all

install: $(BUILT)
	@case '$(PREFIX):$(LIBDIR):$(INCLUDEDIR)' in /*:/*:/*) ;; *) \
	    echo "sio: PREFIX, LIBDIR and INCLUDEDIR must be absolute" >&2; exit 1;; esac
	@$(INSTALL) -d "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(INCLUDEDIR)"
	$(INSTALL) -m 644 include/sio.h "$(DESTDIR)$(INCLUDEDIR)/sio.h"
	$(INSTALL) -m 644 $(LIBRARY)/$(STATIC) "$(DESTDIR)$(LIBDIR)/$(STATIC)"
	$(INSTALL) -m 755 $(LIBRARY)/$(SHARED) "$(DESTDIR)$(LIBDIR)/$(SHARED)"
ifeq ($(CARGO_SHARED),libsio.dylib)
	install_name_tool -id "$(LIBDIR)/$(SHARED_MAJOR)" "$(DESTDIR)$(LIBDIR)/$(SHARED)"
endif
	ln -sf $(SHARED) "$(DESTDIR)$(LIBDIR)/$(SHARED_MAJOR)"
	ln -sf $(SHARED_MAJOR) "$(DESTDIR)$(LIBDIR)/$(SHARED_LINK)"
# A C compiler adds the C library and its own support library itself, each in the kind that the
# program is linked in; named here, they would make a program without shared libraries fail to link.
	@private=$$(tr ' ' '\n' <$(NATIVE_LIBS) | grep -v -x -e -lc -e -lgcc_s | tr '\n' ' ') && \
	    sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LIBDIR@|$(subst $(PREFIX)/,$${prefix}/,$(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(subst $(PREFIX)/,$${prefix}/,$(INCLUDEDIR))|' \
	    -e "s|@LIBS_PRIVATE@|$${private% }|" sio.pc.in >"$(DESTDIR)$(LIBDIR)/pkgconfig/sio.pc"
	@chmod 644 "$(DESTDIR)$(LIBDIR)/pkgconfig/sio.pc"
	@$(REFRESH_LOADER)
	@echo "sio: installed; a program is built with: cc program.c \$$(pkg-config --cflags --libs sio)"

uninstall:
	rm -f "$(DESTDIR)$(INCLUDEDIR)/sio.h" "$(DESTDIR)$(LIBDIR)/pkgconfig/sio.pc"
	rm -f "$(DESTDIR)$(LIBDIR)/$(SHARED_LINK)" "$(DESTDIR)$(LIBDIR)/$(SHARED_MAJOR)"
	rm -f "$(DESTDIR)$(LIBDIR)/$(SHARED)" "$(DESTDIR)$(LIBDIR)/$(STATIC)"
	@$(REFRESH_LOADER)

# Linux's loader finds a library in the system's folders by a cache, which only root can renew.
REFRESH_LOADER = PATH="$$PATH:/sbin:/usr/sbin"; if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && \
    [ "$$(uname -s)" = Linux ] && command -v ldconfig >/dev/null; then ldconfig || true; fi

# The library goes into the package by SIO_BUNDLE, see bindings/python/setup.py.
python-wheel: $(BUILT)
	@SIO_BUNDLE="$(ABSOLUTE_LIBRARY)/$(SHARED_MAJOR)" $(PYTHON) -m pip wheel --no-deps \
	    --disable-pip-version-check $(PIP_OPTIONS) --wheel-dir "$(WHEELS)" bindings/python
	@echo "sio: the wheel is in $(WHEELS)"

header: need-cargo
	@echo "sio: writing include/sio.h"
	@SIO_WRITE_HEADER=1 $(CARGO) test --test header

fmt: need-cargo
	@$(CARGO) fmt

clippy: need-cargo
	@$(CARGO) clippy --all-targets -- -D warnings

clean: need-cargo
	@$(CARGO) clean
	@rm -rf examples-c/bin

need-cargo:
	@command -v $(firstword $(CARGO)) >/dev/null || { \
	    echo "sio: cargo is missing: install Rust (README.md says which version)" >&2; exit 1; }

# `make help` lists the targets.

GO        ?= go
BIN       := bin/replank
MAJORS    ?= 14 15 16 17 18
# The packages whose tests need a server: those whose tests import pgtest.
DATABASE  = $(shell $(GO) list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | awk '/\/internal\/pgtest( |$$)/ || $$1 ~ /\/internal\/pgtest$$/ {print $$1}')

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# A release is one static file, so that it runs on every distribution: PostgreSQL's parser is linked with musl where
# musl-gcc is installed (Debian: musl-tools), other systems link as they always do.
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PLATFORM  = $(shell $(GO) env GOOS)_$(shell $(GO) env GOARCH)
ARCHIVE   = replank_$(VERSION)_$(PLATFORM)
MUSL      = $(if $(filter linux_%,$(PLATFORM)),$(shell command -v musl-gcc))
STATIC    = $(if $(MUSL),-linkmode external -extldflags -static)
TAGS      = $(if $(MUSL),netgo osusergo)
SHA256    = $(if $(shell command -v sha256sum),sha256sum,shasum -a 256)

.PHONY: help build demo test test-python test-matrix bench check dist compiler clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: compiler ## build bin/replank
	$(GO) build -o $(BIN) ./cmd/replank

demo: build ## watch Replank change a busy database (private PostgreSQL, nothing to configure)
	$(BIN) demo

test: compiler ## run all tests on PostgreSQL 15 (REPLANK_TEST_PG=18: on another version)
	$(GO) test -timeout 30m ./...

test-python: compiler ## run the tests of the Python package with Django 5.2, Alembic and SQLAlchemy (FULL=1: with Django 6.1 and SQLAlchemy 2.1, too)
	REPLANK_TEST_FULL=$(FULL) $(GO) test -timeout 30m ./python

test-matrix: compiler ## run the database tests on PostgreSQL 14 to 18 (MAJORS="15 18": on fewer; FULL=1: every form on every table)
	@for major in $(MAJORS); do \
		echo "== PostgreSQL $$major"; \
		REPLANK_TEST_PG=$$major REPLANK_TEST_FULL=$(FULL) $(GO) test -timeout 60m $(DATABASE) || exit 1; \
	done

bench: compiler ## measure Replank beside psql, pgroll, linters and proxies, hours (BENCH="-only fill -runs 1 -rows 500000": less)
	$(GO) run ./bench -out docs $(BENCH)

check: compiler ## vet, staticcheck, govulncheck
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); code=$$?; printf '%s\n' "$$out"; \
	if [ $$code -ne 0 ] && printf '%s' "$$out" | grep -q 'fetching vulnerabilities'; then \
		echo "WARNING: govulncheck could not reach its database: known vulnerabilities were NOT checked."; \
	else exit $$code; fi

dist: compiler ## build the release archive of this platform and its SHA-256 in dist/
	@mkdir -p dist/$(ARCHIVE)
	CGO_ENABLED=1 $(if $(MUSL),CC=$(MUSL)) $(GO) build -trimpath -tags '$(TAGS)' \
		-ldflags '-s -w -X main.version=$(VERSION) $(STATIC)' -o dist/$(ARCHIVE)/replank ./cmd/replank
	@cp LICENSE README.md CHANGELOG.md dist/$(ARCHIVE)/
	@tar -C dist -czf dist/$(ARCHIVE).tar.gz $(ARCHIVE)
	@cd dist && $(SHA256) $(ARCHIVE).tar.gz | tee $(ARCHIVE).tar.gz.sha256

# The SQL parser is PostgreSQL's own, in C.
compiler:
	@command -v "$$($(GO) env CC | awk '{print $$1}')" >/dev/null 2>&1 || { \
		echo "Replank needs a C compiler to build (its SQL parser is PostgreSQL's own, in C), and $$($(GO) env CC) is not installed."; \
		echo "  Debian, Ubuntu: apt-get install gcc libc6-dev"; \
		echo "  Red Hat, Fedora: dnf install gcc"; \
		echo "  Alpine: apk add gcc musl-dev"; \
		echo "  macOS: xcode-select --install"; \
		exit 1; }

clean: ## remove what was built
	rm -rf bin dist

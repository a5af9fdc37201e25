# Every target is ./dev's; ARGS="..." hands arguments on. ./dev needs no make.
TARGETS = demo test lint fix bench docs up down setup

.PHONY: help $(TARGETS)

help:
	@./dev help
	@echo 'The same with make: make $(TARGETS)' | tr -s ' '

$(TARGETS):
	@./dev $@ $(ARGS)

# Writes docs/configuration.md and the example of a master from what the daemons declare:
# cmake -DBIN=build/bin -DPAGE=docs/configuration.md -DEXAMPLE=deploy/examples/muster-master.yaml -P ...
set(text "# Configuration\n\nWritten by `cmake --build build --target configuration_page` from the declarations; a test holds it to \
them.\n\nThe daemons read one YAML file (`--config FILE`); every key is also a flag of the same dotted name (`--KEY=VALUE`)\n\
and an environment variable. Flag > environment > file > default. An unknown key, a wrong type or a bound that does\n\
not hold is refused at start, with file, line, key and what would be valid. `--check-config` prints what is in effect\n\
and where each value comes from; `--config-example` prints a commented file.\n")
foreach(program muster-master muster-worker)
  execute_process(COMMAND ${BIN}/${program} --config-reference OUTPUT_VARIABLE reference COMMAND_ERROR_IS_FATAL ANY)
  string(APPEND text "\n${reference}")
endforeach()
file(WRITE ${PAGE} "${text}")
execute_process(COMMAND ${BIN}/muster-master --config-example OUTPUT_FILE ${EXAMPLE} COMMAND_ERROR_IS_FATAL ANY)

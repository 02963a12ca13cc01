package dev.panatune.bench;

import java.util.List;
import java.util.Map;

/**
 * One of those that are compared.
 *
 * @param name in the table
 * @param group sides of one group do the same thing: ours is compared with each of the others
 * @param ours whether it is Panatune
 * @param command that runs one job, which is its last argument, and prints its result as the last
 *     line of standard output
 * @param environment what is set for it beside this process's own
 * @param job what it is to do
 */
record Side(
    String name,
    String group,
    boolean ours,
    List<String> command,
    Map<String, String> environment,
    Map<String, Object> job) {

  /** Panatune itself. */
  static Side ours(String name, Map<String, Object> job) {
    return new Side(name, name, true, OwnProcess.command("bench", "worker"), Map.of(), job);
  }
}

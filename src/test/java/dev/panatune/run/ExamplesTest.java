package dev.panatune.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Row;
import dev.panatune.data.Row.InstructionRow;
import dev.panatune.data.Row.LabelledRow;
import dev.panatune.data.RowReader;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExamplesTest {
  private static final Path EXAMPLES = Path.of("examples");
  private static final Path TRAIN = EXAMPLES.resolve("data/wordnet-definitions-train.jsonl");
  private static final Path EVAL = EXAMPLES.resolve("data/wordnet-definitions-eval.jsonl");

  @TempDir Path directory;

  private static Set<String> each(List<Row> rows, Function<InstructionRow, String> part) {
    return rows.stream()
        .map(row -> part.apply((InstructionRow) row))
        .collect(Collectors.toCollection(HashSet::new));
  }

  @Test
  void theProgramCompilesAndIsShort() throws IOException {
    Path program = EXAMPLES.resolve("Quickstart.java");
    List<String> lines = Files.readAllLines(program);
    assertTrue(lines.size() < 60, lines.size() + " lines");
    assertFalse(lines.stream().anyMatch(line -> line.matches("import dev.panatune.(cli|run).*")));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      boolean compiled =
          compiler
              .getTask(
                  messages,
                  files,
                  null,
                  List.of("-Xlint:all", "-proc:none", "-d", directory.toString()),
                  null,
                  files.getJavaFileObjects(program))
              .call();
      assertTrue(compiled, messages.toString());
      assertEquals("", messages.toString());
    }
  }

  /** The classifier's rows are definitions of the quickstart, by the part of speech. */
  @Test
  void theClassesAreThoseOfTheDefinitions() {
    RunConfig config =
        RunConfig.read(EXAMPLES.resolve("classify.yaml"), List.of(), Optional.empty());
    assertEquals(List.of("noun", "verb", "adjective"), config.model().classes());
    assertClasses(TRAIN, config.data().train(), 480);
    assertClasses(EVAL, config.data().eval(), 120);
  }

  private static void assertClasses(Path definitions, List<DataSection.Source> from, int count) {
    Set<String> known =
        each(
            RowReader.read(definitions),
            row -> row.input().replaceFirst("[^(]*\\((\\w+)\\).*", "$1: ") + row.output());
    List<Row> rows = RowReader.read(from.getFirst().path(), from.getFirst().format());
    assertEquals(count, rows.size());
    for (Row row : rows) {
      LabelledRow labelled = (LabelledRow) row;
      assertTrue(known.contains(labelled.label() + ": " + labelled.text()), labelled.toString());
    }
  }

  @Test
  void noWordAndNoDefinitionIsOnBothSides() throws IOException {
    List<Row> train = RowReader.read(TRAIN);
    List<Row> eval = RowReader.read(EVAL);
    assertTrue(eval.size() >= 500, eval.size() + " rows held out");
    assertTrue(Files.size(TRAIN) + Files.size(EVAL) < 1_000_000);
    assertEquals(train.size(), each(train, InstructionRow::output).size());
    assertEquals(eval.size(), each(eval, InstructionRow::output).size());
    assertTrue(
        Collections.disjoint(
            each(train, InstructionRow::output), each(eval, InstructionRow::output)));
    Function<InstructionRow, String> word = row -> row.input().replaceFirst(" .*", "");
    assertTrue(Collections.disjoint(each(train, word), each(eval, word)));
  }
}

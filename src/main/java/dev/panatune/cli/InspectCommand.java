package dev.panatune.cli;

import dev.panatune.format.InspectedTensor;
import dev.panatune.format.Inspection;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says what a file of tensors holds; needs no native library and trusts no file. */
@Command(name = "inspect", description = "Says what a checkpoint, an adapter or a GGUF file holds.")
final class InspectCommand implements Callable<Integer> {
  private static final int LONGEST_VALUE = 120;

  @Parameters(paramLabel = "FILE|DIR", description = "What to look into.")
  private Path path;

  @Option(names = "--json", description = "Print one JSON object and nothing else.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Inspection inspection = Inspection.of(path);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      JsonOutput.print(out, object(inspection));
    } else {
      print(out, inspection);
    }
    return 0;
  }

  private static Map<String, Object> object(Inspection inspection) {
    List<Map<String, Object>> tensors = new ArrayList<>();
    for (InspectedTensor tensor : inspection.tensors()) {
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("name", tensor.name());
      entry.put("dtype", tensor.dtype());
      entry.put("shape", tensor.shape());
      tensors.add(entry);
    }
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("kind", inspection.kind().label());
    object.put("path", inspection.path().toString());
    object.put("files", inspection.files().stream().map(Path::toString).toList());
    object.put("tensors", tensors);
    object.put("parameters", inspection.elements());
    object.put("bytes", inspection.byteSize());
    object.put("metadata", inspection.metadata());
    return object;
  }

  private static void print(PrintWriter out, Inspection inspection) {
    out.println(
        "%s: %s, %,d tensors, %,d elements, %,d bytes"
            .formatted(
                plain(inspection.path()),
                inspection.kind().label(),
                inspection.tensors().size(),
                inspection.elements(),
                inspection.byteSize()));
    inspection
        .metadata()
        .forEach((key, value) -> out.println("  %s = %s".formatted(plain(key), plain(value))));
    for (InspectedTensor tensor : inspection.tensors()) {
      out.println(
          "  %-8s %-20s %s"
              .formatted(
                  plain(tensor.dtype()), Arrays.toString(tensor.shape()), plain(tensor.name())));
    }
  }

  /** One short line that no terminal obeys, whatever the file says. */
  private static String plain(Object value) {
    String text =
        value instanceof List<?> list && list.size() > LONGEST_VALUE
            ? "a list of %,d".formatted(list.size())
            : String.valueOf(value);
    String cut = text.length() > LONGEST_VALUE ? text.substring(0, LONGEST_VALUE) + "..." : text;
    return cut.replaceAll("\\p{C}", "?");
  }
}

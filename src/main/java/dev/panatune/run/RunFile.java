package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.snakeyaml.engine.v2.api.Dump;
import org.snakeyaml.engine.v2.api.DumpSettings;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.common.FlowStyle;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.schema.CoreSchema;

/** The YAML of a run as plain maps, lists and values, with the command line's overrides in it. */
final class RunFile {
  private RunFile() {}

  /**
   * Reads a file and lays overrides over it.
   *
   * @param overrides each {@code a.b.c=value}; the value is YAML, an index picks from a list
   * @throws ConfigurationException if the file is missing or not YAML, or an override not of that
   *     form
   */
  static Map<String, Object> read(Path file, List<String> overrides) {
    Object yaml = parse(text(file), file.toString());
    if (!(yaml instanceof Map<?, ?> map)) {
      throw new ConfigurationException(
          file + " is not a mapping; a run file has the sections model, data, training, peft");
    }
    Map<String, Object> root = new LinkedHashMap<>();
    map.forEach((key, value) -> root.put(String.valueOf(key), value));
    overrides.forEach(override -> lay(root, override));
    return root;
  }

  /** The classes that the run file of a finished run names; none where it has none. */
  static List<String> classes(Path file) {
    if (Files.isRegularFile(file)
        && read(file, List.of()).get("model") instanceof Map<?, ?> model
        && model.get("id2label") instanceof List<?> names) {
      return names.stream().map(String::valueOf).toList();
    }
    return List.of();
  }

  /** The values as YAML, in their order. */
  static String write(Map<String, Object> values) {
    DumpSettings settings =
        DumpSettings.builder().setDefaultFlowStyle(FlowStyle.BLOCK).setSplitLines(false).build();
    return new Dump(settings).dumpToString(values);
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (NoSuchFileException e) {
      throw new ConfigurationException("no run file at " + file, e);
    } catch (MalformedInputException e) {
      throw new ConfigurationException(file + " is not UTF-8 text, so not a run file", e);
    } catch (IOException e) {
      throw new ConfigurationException("cannot read %s: %s".formatted(file, e.getMessage()), e);
    }
  }

  private static Object parse(String text, String name) {
    try {
      LoadSettings settings =
          LoadSettings.builder().setLabel(name).setSchema(new CoreSchema()).build();
      return new Load(settings).loadFromString(text);
    } catch (YamlEngineException e) {
      String what = e.getMessage().strip().replaceAll("\\s*\n\\s*", " ");
      throw new ConfigurationException("%s is not valid YAML: %s".formatted(name, what), e);
    }
  }

  private static void lay(Map<String, Object> root, String override) {
    int equals = override.indexOf('=');
    if (equals < 1) {
      throw new ConfigurationException(
          "--set %s: give it as section.key=value, such as training.learning_rate=1e-4"
              .formatted(override));
    }
    String path = override.substring(0, equals).strip();
    Object value = parse(override.substring(equals + 1), "--set " + path);
    List<String> keys = List.of(path.split("\\."));
    put(root, path, keys, value);
  }

  /** Sets the value under {@code keys}; mappings on the way that are missing are made. */
  private static void put(Map<String, Object> map, String path, List<String> keys, Object value) {
    String key = keys.getFirst();
    if (keys.size() == 1) {
      map.put(key, value);
      return;
    }
    List<String> rest = keys.subList(1, keys.size());
    switch (map.get(key)) {
      case null -> put(child(map, key, Map.of()), path, rest, value);
      case Map<?, ?> existing -> put(child(map, key, existing), path, rest, value);
      case List<?> list -> map.put(key, replaced(list, path, rest, value));
      default ->
          throw new ConfigurationException(
              "--set %s: %s has a plain value in the file, so nothing lies under it"
                  .formatted(path, key));
    }
  }

  private static Map<String, Object> child(
      Map<String, Object> map, String key, Map<?, ?> existing) {
    Map<String, Object> child = new LinkedHashMap<>();
    existing.forEach((name, value) -> child.put(String.valueOf(name), value));
    map.put(key, child);
    return child;
  }

  private static List<Object> replaced(List<?> list, String path, List<String> keys, Object value) {
    String index = keys.getFirst();
    if (!index.matches("\\d{1,6}") || Integer.parseInt(index) >= list.size()) {
      throw new ConfigurationException(
          "--set %s: '%s' must be an index below %d, the length of the list"
              .formatted(path, index, list.size()));
    }
    Map<String, Object> elements = new LinkedHashMap<>();
    for (int i = 0; i < list.size(); i++) {
      elements.put(String.valueOf(i), list.get(i));
    }
    put(elements, path, keys, value);
    return new ArrayList<>(elements.values());
  }
}

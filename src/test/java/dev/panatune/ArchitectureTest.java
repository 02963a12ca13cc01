package dev.panatune;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The floors of the house: each uses only those before it in the list. */
class ArchitectureTest {
  private static final List<String> FLOORS =
      List.of(
          "error",
          "natives",
          "tensor",
          "dist",
          "format",
          "hub",
          "quant",
          "nn",
          "text",
          "model",
          "generate",
          "peft",
          "data",
          "eval",
          "train",
          "run",
          "registry",
          "serve",
          "bench",
          "cli");

  private static final String BINDINGS = "dev.panatune.bindings..";

  private static JavaClasses all;

  @BeforeAll
  static void readClasses() {
    all =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.panatune");
  }

  static List<String> floors() {
    return FLOORS;
  }

  private static String packageOf(String floor) {
    return "dev.panatune." + floor + "..";
  }

  private static String[] packagesUpTo(String floor) {
    return Stream.concat(
            FLOORS.subList(0, FLOORS.indexOf(floor) + 1).stream().map(ArchitectureTest::packageOf),
            Stream.of(BINDINGS))
        .toArray(String[]::new);
  }

  private static ArchRule usesOnlyFloorsBefore(String floor) {
    return classes()
        .that()
        .resideInAPackage(packageOf(floor))
        .should()
        .onlyDependOnClassesThat(
            resideInAnyPackage(packagesUpTo(floor)).or(not(resideInAPackage("dev.panatune.."))))
        .allowEmptyShould(true);
  }

  @ParameterizedTest
  @MethodSource("floors")
  void aFloorUsesOnlyFloorsBeforeIt(String floor) {
    usesOnlyFloorsBefore(floor).check(all);
  }

  @Test
  void everyClassIsOnAFloor() {
    classes().should().resideInAnyPackage(packagesUpTo(FLOORS.getLast())).check(all);
  }

  @Test
  void theBindingsAreUsedByThreeFloorsAlone() {
    noClasses()
        .that()
        .resideOutsideOfPackages(
            packageOf("tensor"), packageOf("quant"), packageOf("dist"), BINDINGS)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(BINDINGS)
        .check(all);
  }

  @Test
  void packagesDoNotDependOnEachOtherInCircles() {
    slices().matching("dev.panatune.(**)").should().beFreeOfCycles().check(all);
  }

  /** The rule can fail: natives stands after error. */
  @Test
  void theRuleSeesWhatIsForbidden() {
    ArchRule upsideDown =
        classes()
            .that()
            .resideInAPackage(packageOf("natives"))
            .should()
            .onlyDependOnClassesThat(not(resideInAPackage(packageOf("error"))));
    assertThrows(AssertionError.class, () -> upsideDown.check(all));
  }
}

package dev.fovea.bench;

import dev.fovea.testkit.Pass;
import dev.fovea.testkit.image.ImageCase.Kind;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.IntFunction;

/** The mechanisms that libtorch's users compose. */
enum Mechanism {
  ADDITIVE("Additive attention", AdditiveProblem::headline, AdditiveProblem::all),
  BLOCKS("Block-sparse attention", BlockProblem::headline, BlockProblem::all),
  MODIFIERS("Modifiers of attention", ModifierProblem::headline, ModifierProblem::all),
  LINEAR("Linear attention", LinearProblem::headline, LinearProblem::all),
  PROJECTION("Projection of sequences", ProjectionProblem::headline, ProjectionProblem::all),
  ROTARY("Rotary position embedding", RotaryProblem::headline, RotaryProblem::all),
  DECODE("Attention to a cache", DecodeProblem::headline, DecodeProblem::all),
  CHANNEL(
      "Channel attention",
      pass -> ImageProblem.headline(Kind.CHANNEL, pass),
      threads -> ImageProblem.all(Kind.CHANNEL, threads)),
  SPATIAL(
      "Spatial attention",
      pass -> ImageProblem.headline(Kind.SPATIAL, pass),
      threads -> ImageProblem.all(Kind.SPATIAL, threads));

  private final String title;
  private final Function<Pass, ComposedProblem> headline;
  private final IntFunction<List<? extends ComposedProblem>> problems;

  Mechanism(
      String title,
      Function<Pass, ComposedProblem> headline,
      IntFunction<List<? extends ComposedProblem>> problems) {
    this.title = title;
    this.headline = headline;
    this.problems = problems;
  }

  /** Of its part of the page. */
  String title() {
    return title;
  }

  /** The name of its report. */
  String benchmark() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The problem that has targets. */
  ComposedProblem headline(Pass pass) {
    return headline.apply(pass);
  }

  /** What is measured with that many threads. */
  List<? extends ComposedProblem> problems(int threads) {
    return problems.apply(threads);
  }
}

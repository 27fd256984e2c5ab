// SPDX-License-Identifier: BSD-3-Clause
// Compiles those tests of the JDK below two folders that are programs of their own: each into a folder, with a file
// MAIN that names its class and its source's folder. The compiler stays in one process, which makes it twenty times
// as fast as one for each test.

import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

public class CompileTests {
    private static final JavaCompiler COMPILER = ToolProvider.getSystemJavaCompiler();
    private static final StandardJavaFileManager FILES = COMPILER.getStandardFileManager(d -> { }, null, null);

    /** Arguments: the folder test of the JDK's source, and where to put the classes. */
    public static void main(String[] args) throws IOException {
        Path tests = Path.of(args[0]).toAbsolutePath(), out = Path.of(args[1]).toAbsolutePath();
        for (String part : List.of("java/net", "java/nio/channels")) {
            List<Path> sources;
            try (Stream<Path> found = Files.walk(tests.resolve("jdk").resolve(part))) {
                sources = found.filter(p -> p.toString().endsWith(".java")).sorted().collect(Collectors.toList());
            }
            for (Path source : sources) {
                if (isProgram(Files.readString(source, StandardCharsets.ISO_8859_1)))
                    compile(tests, source, out);
            }
        }
    }

    private static boolean isProgram(String text) {
        return text.contains("@test") && text.contains("static void main") && !text.contains("org.testng")
            && !text.contains("junit");
    }

    private static void compile(Path tests, Path source, Path out) throws IOException {
        String main = source.getFileName().toString().replace(".java", "");
        Path from = source.getParent();
        Path to = out.resolve(tests.resolve("jdk/java").relativize(from).toString().replace('/', '.') + "." + main);
        String path = from + ":" + tests.resolve("lib") + ":" + tests.resolve("jdk/java/nio/channels");
        List<String> options = List.of("-nowarn", "-proc:none", "-sourcepath", path, "-d", to.toString());
        Files.createDirectories(to);
        try {
            if (COMPILER.getTask(new StringWriter(), FILES, d -> { }, options, null, FILES.getJavaFileObjects(source)).call())
                Files.writeString(to.resolve("MAIN"), main + "\n" + tests.getParent().relativize(from) + "\n");
        } catch (RuntimeException e) {
            // Some mean another compiler.
        }
    }
}

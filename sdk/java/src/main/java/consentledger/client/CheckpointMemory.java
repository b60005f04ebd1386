package consentledger.client;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicReference;

/** Where the newest signed checkpoint is kept between runs. Its methods throw UncheckedIOException. */
public interface CheckpointMemory {
    /** The signed note, or null when nothing has been seen yet. */
    String read();

    /** Replace it. */
    void write(String note);

    /** Remembers as long as the process lives. */
    static CheckpointMemory inMemory() {
        AtomicReference<String> kept = new AtomicReference<>();
        return new CheckpointMemory() {
            @Override
            public String read() {
                return kept.get();
            }

            @Override
            public void write(String note) {
                kept.set(note);
            }
        };
    }

    /** Remembers in a file, replaced as a whole. */
    static CheckpointMemory inFile(Path path) {
        return new CheckpointMemory() {
            @Override
            public String read() {
                try {
                    return Files.readString(path);
                } catch (NoSuchFileException nothing) {
                    return null;
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            }

            @Override
            public void write(String note) {
                Path partial = path.resolveSibling(path.getFileName() + ".new");
                try {
                    Files.writeString(partial, note);
                    try (FileChannel file = FileChannel.open(partial, StandardOpenOption.WRITE)) {
                        file.force(true);
                    }
                    Files.move(partial, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            }
        };
    }
}

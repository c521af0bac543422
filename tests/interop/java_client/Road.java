import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Transaction;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** The Java client's own way through an ensemble. Prints a line for each step that held. */
public class Road {
    private static final int SESSION_MS = 20_000;
    private static String servers;
    private static String root;

    private interface Step {
        void run() throws Exception;
    }

    /** A client and the events its default watcher heard. */
    private static final class Client implements Watcher, AutoCloseable {
        final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
        private final CountDownLatch connected = new CountDownLatch(1);
        final AtomicInteger connections = new AtomicInteger();
        final ZooKeeper zk;

        Client(String to) throws Exception {
            zk = new ZooKeeper(to, SESSION_MS, this);
            if (!connected.await(20, TimeUnit.SECONDS)) {
                throw new AssertionError("no connection to " + to);
            }
        }

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() != EventType.None) {
                events.add(event);
            } else if (event.getState() == KeeperState.SyncConnected) {
                connections.incrementAndGet();
                connected.countDown();
            }
        }

        /** Breaks the socket below the client, by the way its own tests have, which no version shows. */
        void cut() throws Exception {
            Field cnxn = ZooKeeper.class.getDeclaredField("cnxn");
            cnxn.setAccessible(true);
            Field thread = cnxn.get(zk).getClass().getDeclaredField("sendThread");
            thread.setAccessible(true);
            Method close = thread.get(cnxn.get(zk)).getClass().getDeclaredMethod("testableCloseSocket");
            close.setAccessible(true);
            close.invoke(thread.get(cnxn.get(zk)));
        }

        WatchedEvent next() throws Exception {
            WatchedEvent event = events.poll(10, TimeUnit.SECONDS);
            if (event == null) {
                throw new AssertionError("no event came");
            }
            return event;
        }

        @Override
        public void close() throws Exception {
            zk.close();
        }
    }

    public static void main(String[] arguments) throws Exception {
        servers = arguments[0];
        root = "/road-" + arguments[1];
        try (Client client = new Client(servers)) {
            client.zk.create(root, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }
        boolean good = step("create", Road::create) & step("multi", Road::multi)
            & step("watches", Road::watches) & step("persistent", Road::persistent)
            & step("removal", Road::removal) & step("access", Road::access)
            & step("reconnect", Road::reconnect) & step("takeover", Road::takeover)
            & step("expiry", Road::expiry) & step("async", Road::async) & step("queries", Road::queries);
        System.exit(good ? 0 : 1);
    }

    private static boolean step(String name, Step step) {
        try {
            step.run();
            System.out.println("ok " + name);
            return true;
        } catch (Throwable error) {
            System.out.println("FAILED " + name + ": " + error);
            error.printStackTrace(System.out);
            return false;
        }
    }

    private static void equal(Object expected, Object got) {
        if (!expected.equals(got)) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }

    private static void refused(Code code, Step step) throws Exception {
        try {
            step.run();
        } catch (KeeperException error) {
            equal(code, error.code());
            return;
        }
        throw new AssertionError("expected " + code);
    }

    private static byte[] bytes(String text) {
        return text.getBytes();
    }

    private static void create() throws Exception {
        try (Client client = new Client(servers)) {
            ZooKeeper zk = client.zk;
            String path = zk.create(root + "/c", bytes("data"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            equal(root + "/c", path);
            Stat stat = new Stat();
            zk.create(root + "/c/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL, stat);
            equal(0, stat.getVersion());
            zk.create(root + "/box", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
            zk.create(root + "/c/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL, stat);
            equal(zk.getSessionId(), stat.getEphemeralOwner());
            refused(Code.NODEEXISTS, () -> zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            refused(Code.UNIMPLEMENTED, () -> new Client(servers).zk.create(root + "/t", null,
                Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, null, 1000));
            refused(Code.BADVERSION, () -> zk.setData(path, bytes("x"), 7));
            equal(1, zk.setData(path, bytes("more"), 0).getVersion());
            equal("more", new String(zk.getData(path, false, stat)));
            equal(2, stat.getNumChildren());
            refused(Code.NOTEMPTY, () -> zk.delete(path, -1));
        }
    }

    private static void multi() throws Exception {
        try (Client client = new Client(servers)) {
            Transaction good = client.zk.transaction();
            good.create(root + "/m", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            good.setData(root + "/m", bytes("2"), 0);
            good.check(root + "/m", 1);
            good.create(root + "/m/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
            List<OpResult> results = good.commit();
            equal(4, results.size());
            equal(root + "/m/s-0000000000", ((OpResult.CreateResult) results.get(3)).getPath());
            refused(Code.NONODE, () -> client.zk.multi(Arrays.asList(
                Op.setData(root + "/m", bytes("3"), -1), Op.delete(root + "/absent", -1))));
            equal("2", new String(client.zk.getData(root + "/m", false, null)));
            List<OpResult> reads = client.zk.multi(Arrays.asList(
                Op.getData(root + "/m"), Op.getChildren(root + "/absent"), Op.getChildren(root + "/m")));
            equal("2", new String(((OpResult.GetDataResult) reads.get(0)).getData()));
            equal(Code.NONODE.intValue(), ((OpResult.ErrorResult) reads.get(1)).getErr());
        }
    }

    private static void watches() throws Exception {
        try (Client watcher = new Client(servers); Client actor = new Client(servers)) {
            watcher.zk.exists(root + "/w", true);
            actor.zk.create(root + "/w", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            equal(EventType.NodeCreated, watcher.next().getType());
            watcher.zk.getData(root + "/w", true, null);
            watcher.zk.getChildren(root + "/w", true);
            actor.zk.setData(root + "/w", bytes("x"), -1);
            equal(EventType.NodeDataChanged, watcher.next().getType());
            actor.zk.create(root + "/w/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            equal(EventType.NodeChildrenChanged, watcher.next().getType());
            watcher.zk.getData(root + "/w/c", true, null);
            actor.zk.delete(root + "/w/c", -1);
            equal(EventType.NodeDeleted, watcher.next().getType());
        }
    }

    private static void persistent() throws Exception {
        try (Client watcher = new Client(servers); Client actor = new Client(servers)) {
            String path = root + "/p";
            watcher.zk.addWatch(path, AddWatchMode.PERSISTENT_RECURSIVE);
            actor.zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            for (int n = 0; n < 5; n++) {
                actor.zk.create(path + "/" + n, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                actor.zk.setData(path + "/" + n, bytes("x"), -1);
            }
            equal(path, watcher.next().getPath());
            for (int n = 0; n < 5; n++) {
                WatchedEvent created = watcher.next();
                equal(path + "/" + n + EventType.NodeCreated, created.getPath() + created.getType());
                equal(EventType.NodeDataChanged, watcher.next().getType());
            }
        }
    }

    private static void removal() throws Exception {
        try (Client watcher = new Client(servers); Client actor = new Client(servers)) {
            String path = root + "/c";
            watcher.zk.addWatch(path, AddWatchMode.PERSISTENT);
            watcher.zk.removeAllWatches(path, Watcher.WatcherType.Any, false);
            equal(EventType.PersistentWatchRemoved, watcher.next().getType());
            actor.zk.setData(path, bytes("unseen"), -1);
            watcher.zk.sync(path, (code, p, context) -> { }, null);
            watcher.zk.exists(path, false);
            equal(0, watcher.events.size());
            refused(Code.NOWATCHER, () -> watcher.zk.removeAllWatches(path, Watcher.WatcherType.Any, false));
        }
    }

    private static void access() throws Exception {
        try (Client owner = new Client(servers); Client other = new Client(servers)) {
            owner.zk.addAuthInfo("digest", bytes("owner:pw"));
            owner.zk.create(root + "/mine", bytes("x"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            other.zk.sync(root, (code, path, context) -> { }, null);
            refused(Code.NOAUTH, () -> other.zk.getData(root + "/mine", false, null));
            List<ACL> acl = new ArrayList<>(owner.zk.getACL(root + "/mine", null));
            acl.add(new ACL(Perms.READ, new Id("ip", "127.0.0.1")));
            equal(1, owner.zk.setACL(root + "/mine", acl, 0).getAversion());
            other.zk.sync(root, (code, path, context) -> { }, null);
            equal("x", new String(other.zk.getData(root + "/mine", false, null)));
            equal(2, owner.zk.whoAmI().size());
        }
    }

    /** The socket breaks; the session, its ephemerals and its watches do not. */
    private static void reconnect() throws Exception {
        try (Client client = new Client(servers); Client actor = new Client(servers)) {
            long session = client.zk.getSessionId();
            client.zk.create(root + "/live", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            client.zk.getChildren(root + "/c", true);
            client.zk.addWatch(root + "/p", AddWatchMode.PERSISTENT_RECURSIVE);
            for (int round = 1; round <= 4; round++) {
                client.cut();
                actor.zk.setData(root + "/live", bytes("while away"), -1);
                for (int wait = 0; client.connections.get() <= round && wait < 1000; wait++) {
                    Thread.sleep(10);
                }
                equal(session, client.zk.getSessionId());
                equal(session, client.zk.exists(root + "/live", false).getEphemeralOwner());
            }
            actor.zk.create(root + "/c/late", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            equal(EventType.NodeChildrenChanged, client.next().getType());
            actor.zk.setData(root + "/p/0", bytes("late"), -1);
            equal(root + "/p/0", client.next().getPath());
        }
    }

    /** Another client continues a session with its id and password, on another server. */
    private static void takeover() throws Exception {
        String[] each = servers.split(",");
        Client first = new Client(each[0]);
        String path = root + "/handed-over";
        first.zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        ZooKeeper second = new ZooKeeper(each[each.length - 1], SESSION_MS, event -> { },
            first.zk.getSessionId(), first.zk.getSessionPasswd());
        equal(first.zk.getSessionId(), second.exists(path, false).getEphemeralOwner());
        second.setData(path, bytes("second"), -1);
        second.close();
        try (Client third = new Client(servers)) {
            third.zk.sync(path, (code, p, context) -> { }, null);
            equal(true, third.zk.exists(path, false) == null);
        }
    }

    private static void expiry() throws Exception {
        CountDownLatch expired = new CountDownLatch(1);
        try (Client client = new Client(servers)) {
            String path = root + "/expires";
            client.zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            client.zk.register(event -> {
                if (event.getState() == KeeperState.Expired) {
                    expired.countDown();
                }
            });
            Client thief = new Client(servers);
            ZooKeeper copy = new ZooKeeper(servers, SESSION_MS, event -> { }, client.zk.getSessionId(),
                client.zk.getSessionPasswd());
            copy.exists(path, false);
            copy.close();
            equal(true, expired.await(15, TimeUnit.SECONDS));
            thief.close();
        }
    }

    private static void async() throws Exception {
        try (Client client = new Client(servers)) {
            int calls = 500;
            CountDownLatch done = new CountDownLatch(calls);
            AtomicInteger bad = new AtomicInteger();
            List<Integer> order = new ArrayList<>();
            for (int n = 0; n < calls; n++) {
                client.zk.create(root + "/async-", bytes("" + n), Ids.OPEN_ACL_UNSAFE,
                    CreateMode.PERSISTENT_SEQUENTIAL, (code, path, context, name) -> {
                        order.add((Integer) context);
                        bad.addAndGet(code == 0 ? 0 : 1);
                        done.countDown();
                    }, n);
            }
            equal(true, done.await(20, TimeUnit.SECONDS));
            equal(0, bad.get());
            for (int n = 0; n < calls; n++) {
                equal(n, order.get(n));
            }
        }
    }

    private static void queries() throws Exception {
        try (Client client = new Client(servers)) {
            client.zk.create(root + "/q-e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            equal(Arrays.asList(root + "/q-e"), client.zk.getEphemerals());
            equal(true, client.zk.getAllChildrenNumber(root) > 500);
            equal(true, new String(client.zk.getConfig(false, null)).contains("server.1="));
        }
    }
}

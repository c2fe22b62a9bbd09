import type { Metadata } from "next";
import type { ReactNode } from "react";
import { ChatProvider } from "@/components/chat-provider";
import "./globals.css";

export const metadata: Metadata = { title: "next-chat" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <ChatProvider>{children}</ChatProvider>
      </body>
    </html>
  );
}
